import { Injectable } from '@nestjs/common';
import { AppError, NotFoundError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { FileKey } from '../../files/index.js';
import type { DocumentMetadata } from '../model/metadata.js';
import {
  deleteUnusedFiles,
  lockFiles,
  selectOwnedFiles,
  selectVersionFiles,
} from './document-files.repository.js';
import {
  DuplicateDocumentError,
  MAX_CHUNKS,
  MAX_DOCUMENTS,
  TooManyDocumentsError,
} from './document.errors.js';
import { selectStoredChunks } from './ingestion-store.repository.js';
import type { IngestionRef } from './ingestion.js';

/** A version of a document: its first one, or one that replaces another. */
export interface NewDocumentVersion {
  readonly userId: string;
  readonly collectionId: string;
  /** File of the account with the text. */
  readonly fileId: string;
  /** True if the file was created for this document, so that it is deleted with it. */
  readonly ownsFile: boolean;
  readonly title: string;
  readonly metadata: DocumentMetadata;
}

/** A document whose ingestion is queued, or the one that has the same bytes. */
export interface InsertedDocument {
  readonly id: string;
  /** True if the collection had a document with the same bytes. */
  readonly isDuplicate: boolean;
  /** Ingestions to be announced after the commit. */
  readonly ingestions: readonly IngestionRef[];
  /** Bytes that nothing references any more. */
  readonly unreferenced: readonly FileKey[];
}

/** Stores documents and their versions. Every query filters by the owner. */
@Injectable()
export class DocumentRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts a document with its ingestion, unless the collection has one with the same bytes, or one that is being
   * replaced by them. A file that was created for a duplicate is deleted.
   * @throws NotFoundError if there is no such collection or file
   * @throws TooManyDocumentsError
   * @throws AppError `unauthorized` if the account was disabled meanwhile
   */
  insertDocument(version: NewDocumentVersion): Promise<InsertedDocument> {
    const { userId, collectionId, fileId, ownsFile, title, metadata } = version;
    return this.prisma.transaction(async (transaction) => {
      await lockCollection(transaction, version);
      const hash = await lockNewFile(transaction, version);
      const expired = await deleteExpiredDocument(transaction, version, hash);
      const known = await selectByHash(transaction, version, hash);
      if (known !== undefined) return toDuplicate(transaction, version, known);
      await assertRoom(transaction, userId);
      // The lock of the account serializes these inserts; the unique index would decide otherwise.
      const [document] = await transaction.$queryRaw<{ id: string }[]>`
        INSERT INTO documents (id, collection_id, user_id, file_id, owns_file, hash, title, metadata)
        VALUES (${newId()}::uuid, ${collectionId}::uuid, ${userId}::uuid, ${fileId}::uuid, ${ownsFile}, ${hash},
          ${title}, ${JSON.stringify(metadata)}::jsonb)
        ON CONFLICT (collection_id, hash) DO NOTHING RETURNING id`;
      if (document === undefined) throw new Error('A document was inserted without the lock of its account.');
      const ingestions = await insertIngestions(transaction, version, { id: document.id, hash, version: 1 });
      return { id: document.id, isDuplicate: false, ingestions, unreferenced: expired };
    });
  }

  /**
   * Inserts a version that replaces a document once it is ingested. Versions that are not finished are given up: the
   * later request wins.
   * @throws NotFoundError if there is no such document, collection or file
   * @throws DuplicateDocumentError if another document of the collection has these bytes
   * @throws AppError `unauthorized` if the account was disabled meanwhile
   */
  replaceDocument(documentId: string, version: NewDocumentVersion): Promise<InsertedDocument> {
    const { userId, collectionId, fileId, ownsFile, title, metadata } = version;
    return this.prisma.transaction(async (transaction) => {
      await lockCollection(transaction, version);
      // Also those that do not belong to the document: the deletion of one deletes it with the files of its versions, and
      // would not see this one before the commit.
      const present = await selectVersionFiles(transaction, userId, documentId);
      await lockFiles(transaction, userId, [fileId, ...present]);
      const hash = await lockNewFile(transaction, version);
      const known = await selectByHash(transaction, version, hash, documentId);
      if (known !== undefined) throw new DuplicateDocumentError(known);
      const owned = await selectOwnedFiles(transaction, userId, documentId);
      const files = owned.filter((id) => id !== fileId);
      const [document] = await transaction.$queryRaw<{ version: number }[]>`
        UPDATE documents SET version = version + 1, updated_at = now()
        WHERE id = ${documentId}::uuid AND collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid
        RETURNING version`;
      if (document === undefined) throw new NotFoundError('document', documentId);
      // Otherwise the document would outlive the deletion of the new file, and have no version.
      await transaction.$executeRaw`
        UPDATE documents
        SET file_id = ${fileId}::uuid, owns_file = ${ownsFile}, hash = ${hash}, title = ${title},
          metadata = ${JSON.stringify(metadata)}::jsonb
        WHERE id = ${documentId}::uuid AND user_id = ${userId}::uuid AND NOT EXISTS (
          SELECT 1 FROM ingestions WHERE ingestions.document_id = documents.id AND visible)`;
      // A process that works on one of them loses its claim with the row. The ingestion of the visible version stays, also
      // in an index that is being built.
      await transaction.$executeRaw`
        DELETE FROM ingestions
        WHERE document_id = ${documentId}::uuid AND user_id = ${userId}::uuid AND NOT visible
          AND version NOT IN (
            SELECT shown.version FROM ingestions AS shown
            WHERE shown.document_id = ${documentId}::uuid AND shown.visible)`;
      const ingestions = await insertIngestions(transaction, version, {
        id: documentId,
        hash,
        version: document.version,
      });
      const unreferenced = await deleteUnusedFiles(transaction, userId, files);
      return { id: documentId, isDuplicate: false, ingestions, unreferenced };
    });
  }
}

/**
 * Locks the account and the collection of a new version. The lock of the account serializes its new documents, which makes
 * the bounds exact and lets one of several requests with the same bytes create the document.
 */
async function lockCollection(
  transaction: Transaction,
  { userId, collectionId }: NewDocumentVersion,
): Promise<void> {
  const [account] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM users WHERE id = ${userId}::uuid AND disabled_at IS NULL FOR NO KEY UPDATE`;
  if (account === undefined)
    throw new AppError('unauthorized', 'The account was disabled during the request.');
  // A deletion and a new index lock this row exclusively: either they see the document, or it sees them.
  const [collection] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM collections
    WHERE id = ${collectionId}::uuid AND user_id = ${userId}::uuid AND deleted_at IS NULL FOR SHARE`;
  if (collection === undefined) throw new NotFoundError('collection', collectionId);
}

/**
 * Locks the file of a new version, and returns the hash of its bytes. A file that was created for it no longer expires:
 * the document of this transaction refers to it.
 */
async function lockNewFile(
  transaction: Transaction,
  { userId, fileId, ownsFile }: NewDocumentVersion,
): Promise<Uint8Array<ArrayBuffer>> {
  const [file] = await transaction.$queryRaw<{ hash: Uint8Array }[]>`
    SELECT hash FROM files
    WHERE id = ${fileId}::uuid AND user_id = ${userId}::uuid AND (expires_at IS NULL OR expires_at > now())
    FOR KEY SHARE`;
  if (file === undefined) throw new NotFoundError('file', fileId);
  if (ownsFile)
    await transaction.$executeRaw`
      UPDATE files SET expires_at = NULL WHERE id = ${fileId}::uuid AND user_id = ${userId}::uuid`;
  return new Uint8Array(file.hash);
}

/**
 * Returns the id of a document that has these bytes, or will have them: once its ingestion is finished, or the index that
 * is being built replaces the active one. Undefined if there is none.
 */
export async function selectByHash(
  transaction: Transaction,
  { userId, collectionId }: Pick<NewDocumentVersion, 'userId' | 'collectionId'>,
  hash: Uint8Array<ArrayBuffer>,
  except: string | null = null,
): Promise<string | undefined> {
  const [stored] = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM documents
    WHERE collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid AND hash = ${hash}
      AND id IS DISTINCT FROM ${except}::uuid`;
  if (stored !== undefined) return stored.id;
  const [planned] = await transaction.$queryRaw<{ id: string }[]>`
    SELECT documents.id
    FROM ingestions JOIN documents ON documents.id = ingestions.document_id
    WHERE ingestions.user_id = ${userId}::uuid AND ingestions.due_at IS NOT NULL AND ingestions.hash = ${hash}
      AND documents.collection_id = ${collectionId}::uuid AND documents.version = ingestions.version
      AND documents.id IS DISTINCT FROM ${except}::uuid
    UNION ALL
    SELECT ingestions.document_id
    FROM collection_indexes JOIN ingestions ON ingestions.index_id = collection_indexes.id
    WHERE collection_indexes.collection_id = ${collectionId}::uuid AND collection_indexes.status = 'building'
      AND ingestions.user_id = ${userId}::uuid AND ingestions.visible AND ingestions.hash = ${hash}
      AND ingestions.document_id IS DISTINCT FROM ${except}::uuid
    LIMIT 1`;
  return planned?.id;
}

/**
 * Deletes the document that has these bytes if its file has expired. Otherwise a new document would be a duplicate of one
 * that the next sweep of files deletes.
 * @returns bytes that nothing references any more
 */
async function deleteExpiredDocument(
  transaction: Transaction,
  { userId, collectionId }: NewDocumentVersion,
  hash: Uint8Array<ArrayBuffer>,
): Promise<FileKey[]> {
  const [expired] = await transaction.$queryRaw<{ id: string }[]>`
    SELECT documents.id FROM documents JOIN files ON files.id = documents.file_id
    WHERE documents.collection_id = ${collectionId}::uuid AND documents.user_id = ${userId}::uuid
      AND documents.hash = ${hash} AND files.expires_at <= now()`;
  if (expired === undefined) return [];
  const files = await selectOwnedFiles(transaction, userId, expired.id);
  await lockFiles(transaction, userId, files);
  await transaction.$executeRaw`
    DELETE FROM documents WHERE id = ${expired.id}::uuid AND user_id = ${userId}::uuid`;
  return deleteUnusedFiles(transaction, userId, files);
}

async function toDuplicate(
  transaction: Transaction,
  { userId, fileId, ownsFile }: NewDocumentVersion,
  id: string,
): Promise<InsertedDocument> {
  if (!ownsFile) return { id, isDuplicate: true, ingestions: [], unreferenced: [] };
  await lockFiles(transaction, userId, [fileId]);
  const unreferenced = await deleteUnusedFiles(transaction, userId, [fileId]);
  return { id, isDuplicate: true, ingestions: [], unreferenced };
}

/** @throws TooManyDocumentsError */
async function assertRoom(transaction: Transaction, userId: string): Promise<void> {
  const [row] = await transaction.$queryRaw<{ documents: number }[]>`
    SELECT count(*)::int AS documents
    FROM documents JOIN collections ON collections.id = documents.collection_id
    WHERE documents.user_id = ${userId}::uuid AND collections.deleted_at IS NULL`;
  if ((row?.documents ?? 0) >= MAX_DOCUMENTS) throw new TooManyDocumentsError('documents');
  if ((await selectStoredChunks(transaction, userId, 'active')) >= MAX_CHUNKS)
    throw new TooManyDocumentsError('chunks');
}

/** Inserts an ingestion of a version for each index of the collection: the active one, and one that is being built. */
async function insertIngestions(
  transaction: Transaction,
  { userId, collectionId, fileId, ownsFile, title, metadata }: NewDocumentVersion,
  document: { readonly id: string; readonly hash: Uint8Array<ArrayBuffer>; readonly version: number },
): Promise<IngestionRef[]> {
  const indexes = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM collection_indexes
    WHERE collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid ORDER BY status`;
  const ingestions: IngestionRef[] = [];
  for (const index of indexes) {
    const id = newId();
    await transaction.$executeRaw`
      INSERT INTO ingestions (id, document_id, index_id, user_id, file_id, owns_file, hash, title, metadata, version)
      VALUES (${id}::uuid, ${document.id}::uuid, ${index.id}::uuid, ${userId}::uuid, ${fileId}::uuid, ${ownsFile},
        ${document.hash}, ${title}, ${JSON.stringify(metadata)}::jsonb, ${document.version}::int)`;
    ingestions.push({ id, userId });
  }
  return ingestions;
}
