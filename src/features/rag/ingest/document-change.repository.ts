import { Injectable } from '@nestjs/common';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { FileKey } from '../../files/index.js';
import { deleteUnusedFiles, lockFiles, selectOwnedFiles } from './document-files.repository.js';
import { DuplicateDocumentError } from './document.errors.js';
import { selectByHash } from './document.repository.js';
import type { IngestionRef } from './ingestion.js';

/** Number of chunks that a deletion leaves to its last statement, and that each one before it deletes. */
const DELETE_BATCH = 10_000;

/** Key of a document. */
export interface DocumentRef {
  readonly userId: string;
  readonly collectionId: string;
  readonly documentId: string;
}

/** Cancels, retries and deletes documents. Every query filters by the owner. */
@Injectable()
export class DocumentChangeRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Cancels the unfinished ingestions of the document's latest version. A process that works on one loses its claim, so
   * that nothing is stored after this. Does nothing if the version is finished.
   * @returns false if there is no such document
   */
  cancelIngestions(ref: DocumentRef): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      const version = await lockDocument(transaction, ref);
      if (version === undefined) return false;
      await transaction.$executeRaw`
        UPDATE ingestions SET status = 'cancelled', due_at = NULL, lease_id = NULL
        WHERE document_id = ${ref.documentId}::uuid AND user_id = ${ref.userId}::uuid
          AND version = ${version}::int AND status IN ('queued', 'processing')
          AND EXISTS (
            SELECT 1 FROM ingestions AS shown JOIN collection_indexes ON collection_indexes.id = shown.index_id
            WHERE shown.document_id = ${ref.documentId}::uuid AND shown.version = ${version}::int
              AND collection_indexes.status = 'active' AND shown.status IN ('queued', 'processing'))`;
      return true;
    });
  }

  /**
   * Queues the failed and cancelled ingestions of the document's latest version again. What they have stored stays, so
   * their progress does not go back. Does nothing if there are none.
   * @returns the ingestions to be announced; undefined if there is no such document
   * @throws DuplicateDocumentError if another document of the collection has got the bytes of this version meanwhile, or
   * is being replaced by them
   */
  retryIngestions(ref: DocumentRef): Promise<IngestionRef[] | undefined> {
    return this.prisma.transaction(async (transaction) => {
      // As for a new document: of a retry and an upload of the same bytes, the later one sees the other.
      await transaction.$queryRaw`SELECT 1 FROM users WHERE id = ${ref.userId}::uuid FOR NO KEY UPDATE`;
      const version = await lockDocument(transaction, ref);
      if (version === undefined) return undefined;
      const [latest] = await transaction.$queryRaw<{ hash: Uint8Array<ArrayBuffer> }[]>`
        SELECT hash FROM ingestions
        WHERE document_id = ${ref.documentId}::uuid AND user_id = ${ref.userId}::uuid AND version = ${version}::int
        LIMIT 1`;
      const other = latest && (await selectByHash(transaction, ref, latest.hash, ref.documentId));
      if (other !== undefined) throw new DuplicateDocumentError(other);
      return transaction.$queryRaw<IngestionRef[]>`
        UPDATE ingestions
        SET status = 'queued', due_at = date_trunc('milliseconds', now()), lease_id = NULL, attempts = 0,
          error_code = NULL, error_message = NULL, created_at = now(), heartbeat_at = now()
        WHERE document_id = ${ref.documentId}::uuid AND user_id = ${ref.userId}::uuid
          AND version = ${version}::int AND status IN ('failed', 'cancelled')
        RETURNING id, user_id AS "userId"`;
    });
  }

  /**
   * Deletes a document with its chunks, and the files that were created for it and that no other document uses.
   * @returns bytes that nothing references any more; undefined if there is no such document
   */
  async deleteDocument(ref: DocumentRef): Promise<FileKey[] | undefined> {
    const { userId, collectionId, documentId } = ref;
    // A very large document could exceed the timeout of a statement. It is hidden from the first batch on.
    while ((await this.shrinkDocument(ref)) > DELETE_BATCH);
    return this.prisma.transaction(async (transaction) => {
      if (!(await lockCollection(transaction, ref))) return undefined;
      const files = await selectOwnedFiles(transaction, userId, documentId);
      await lockFiles(transaction, userId, files);
      // The cascade deletes ingestions and chunks. A process that is storing chunks has locked its ingestion: this waits
      // for its commit, and sees its chunks.
      const deleted = await transaction.$executeRaw`
        DELETE FROM documents
        WHERE id = ${documentId}::uuid AND collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid`;
      if (deleted === 0) return undefined;
      return deleteUnusedFiles(transaction, userId, files);
    });
  }

  /**
   * Hides a document and deletes its last chunks, for documents that are too large to be deleted in one statement.
   * @returns the number of chunks that it had before
   */
  private shrinkDocument({ userId, collectionId, documentId }: DocumentRef): Promise<number> {
    return this.prisma.transaction(async (transaction) => {
      const ingestions = await transaction.$queryRaw<{ id: string; chunks: number }[]>`
        SELECT ingestions.id, ingestions.chunked_count AS chunks
        FROM ingestions JOIN documents ON documents.id = ingestions.document_id
        WHERE documents.id = ${documentId}::uuid AND documents.collection_id = ${collectionId}::uuid
          AND documents.user_id = ${userId}::uuid
        ORDER BY ingestions.id FOR UPDATE OF ingestions`;
      const chunks = ingestions.reduce((sum, ingestion) => sum + ingestion.chunks, 0);
      if (chunks <= DELETE_BATCH) return chunks;
      const ids = ingestions.map(({ id }) => id);
      await transaction.$queryRaw`SELECT shrink_ingestions(${ids}::uuid[], ${DELETE_BATCH}::int)`;
      return chunks;
    });
  }
}

/** Returns true if the account has the collection, which is not deleted before the commit. */
async function lockCollection(
  transaction: Transaction,
  { userId, collectionId }: DocumentRef,
): Promise<boolean> {
  const [collection] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM collections
    WHERE id = ${collectionId}::uuid AND user_id = ${userId}::uuid AND deleted_at IS NULL FOR SHARE`;
  return collection !== undefined;
}

/** Locks a document and returns its latest version; undefined if there is no such document. */
async function lockDocument(transaction: Transaction, ref: DocumentRef): Promise<number | undefined> {
  if (!(await lockCollection(transaction, ref))) return undefined;
  const [document] = await transaction.$queryRaw<{ version: number }[]>`
    SELECT version FROM documents
    WHERE id = ${ref.documentId}::uuid AND collection_id = ${ref.collectionId}::uuid
      AND user_id = ${ref.userId}::uuid FOR NO KEY UPDATE`;
  return document?.version;
}
