import type { Transaction } from '../../../infra/database/index.js';
import { deleteFileRows, type FileKey } from '../../files/index.js';

/**
 * Locks files of an account in the order of their ids. All transactions lock in the order account, collection, files,
 * documents, ingestions, so that none waits for another in a circle. A document that refers to one of these files is
 * inserted before, and then seen by the statements after this one, or finds the file deleted.
 */
export async function lockFiles(
  transaction: Transaction,
  userId: string,
  ids: readonly string[],
): Promise<void> {
  await transaction.$queryRaw`
    SELECT 1 FROM files WHERE id = ANY(${[...ids]}::uuid[]) AND user_id = ${userId}::uuid ORDER BY id FOR UPDATE`;
}

/** Returns the ids of the files that belong to a document: those that were created for one of its versions. */
export async function selectOwnedFiles(
  transaction: Pick<Transaction, '$queryRaw'>,
  userId: string,
  documentId: string,
): Promise<string[]> {
  const files = await transaction.$queryRaw<{ id: string }[]>`
    SELECT file_id AS id FROM documents
    WHERE id = ${documentId}::uuid AND user_id = ${userId}::uuid AND owns_file
    UNION
    SELECT file_id FROM ingestions
    WHERE document_id = ${documentId}::uuid AND user_id = ${userId}::uuid AND owns_file`;
  return files.map(({ id }) => id);
}

/** Returns the ids of the files of all versions of a document, whether or not they belong to it. */
export async function selectVersionFiles(
  transaction: Pick<Transaction, '$queryRaw'>,
  userId: string,
  documentId: string,
): Promise<string[]> {
  const files = await transaction.$queryRaw<{ id: string }[]>`
    SELECT file_id AS id FROM documents WHERE id = ${documentId}::uuid AND user_id = ${userId}::uuid
    UNION
    SELECT file_id FROM ingestions WHERE document_id = ${documentId}::uuid AND user_id = ${userId}::uuid`;
  return files.map(({ id }) => id);
}

/** Returns those of the files that no document and no ingestion refers to any more. */
export async function selectUnusedFiles(
  transaction: Pick<Transaction, '$queryRaw'>,
  userId: string,
  ids: readonly string[],
): Promise<string[]> {
  if (ids.length === 0) return [];
  const unused = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM files
    WHERE id = ANY(${[...ids]}::uuid[]) AND user_id = ${userId}::uuid
      AND NOT EXISTS (SELECT 1 FROM documents WHERE documents.file_id = files.id)
      AND NOT EXISTS (SELECT 1 FROM ingestions WHERE ingestions.file_id = files.id)`;
  return unused.map(({ id }) => id);
}

/**
 * Deletes those of the files that no document and no ingestion refers to any more.
 * @returns the keys of bytes that nothing references any more, to be removed after the commit
 */
export async function deleteUnusedFiles(
  transaction: Transaction,
  userId: string,
  ids: readonly string[],
): Promise<FileKey[]> {
  return deleteFileRows(transaction, userId, await selectUnusedFiles(transaction, userId, ids));
}
