import { Injectable } from '@nestjs/common';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { FileKey } from '../../files/index.js';
import { deleteUnusedFiles, lockFiles } from './document-files.repository.js';

/** A collection that is being deleted. */
export interface DeletedCollection {
  readonly id: string;
  readonly userId: string;
}

/** A batch of a deletion. */
export interface DeletedBatch {
  /** True if rows of the collection are left. */
  readonly hasMore: boolean;
  /** Bytes that nothing references any more. */
  readonly unreferenced: readonly FileKey[];
}

/** Bounds of a transaction that deletes rows of a collection. */
const BATCH = { chunks: 5_000, ingestions: 500, documents: 200 } as const;

/** Deletes the rows of collections that no longer exist for anybody, of all accounts, in short transactions. */
@Injectable()
export class RetrievalDeletionRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns collections that are being deleted, the oldest deletion first. */
  listDeletedCollections(limit: number): Promise<DeletedCollection[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<DeletedCollection[]>`
        SELECT id, user_id AS "userId" FROM collections
        WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT ${limit}`,
    );
  }

  /**
   * Deletes some rows of a deleted collection: first chunks with their ingestions, then documents with the files that
   * were created for them, and finally its own row. Concurrent calls are harmless.
   */
  deleteBatch({ id, userId }: DeletedCollection): Promise<DeletedBatch> {
    return this.prisma.transaction(async (transaction) => {
      // Of several processes one deletes, so that they do not wait for each other.
      const [lock] = await transaction.$queryRaw<unknown[]>`
        SELECT 1 FROM collections
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND deleted_at IS NOT NULL FOR UPDATE SKIP LOCKED`;
      if (lock === undefined) return { hasMore: false, unreferenced: [] };
      const ingestions = await deleteIngestions(transaction, id, userId);
      if (ingestions !== undefined) return { hasMore: true, unreferenced: ingestions };
      const documents = await deleteDocuments(transaction, id, userId);
      if (documents !== undefined) return { hasMore: true, unreferenced: documents };
      await transaction.$executeRaw`
        DELETE FROM collections WHERE id = ${id}::uuid AND user_id = ${userId}::uuid`;
      return { hasMore: false, unreferenced: [] };
    });
  }
}

/** Deletes chunks and ingestions of a collection's indexes; undefined if there are none. */
async function deleteIngestions(
  transaction: Transaction,
  collectionId: string,
  userId: string,
): Promise<FileKey[] | undefined> {
  const found = await transaction.$queryRaw<{ id: string; fileId: string; ownsFile: boolean }[]>`
    SELECT ingestions.id, ingestions.file_id AS "fileId", ingestions.owns_file AS "ownsFile"
    FROM ingestions JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
    WHERE collection_indexes.collection_id = ${collectionId}::uuid AND ingestions.user_id = ${userId}::uuid
    LIMIT ${BATCH.ingestions}`;
  if (found.length === 0) return undefined;
  const ids = found.map(({ id }) => id);
  // Those of versions that their documents do not have: unfinished ones, and replaced ones in a retired index.
  const files = found.filter(({ ownsFile }) => ownsFile).map(({ fileId }) => fileId);
  await lockFiles(transaction, userId, files);
  await transaction.$queryRaw`SELECT shrink_ingestions(${ids}::uuid[], ${BATCH.chunks}::int)`;
  await transaction.$executeRaw`
    DELETE FROM ingestions WHERE id = ANY(${ids}::uuid[]) AND user_id = ${userId}::uuid AND chunked_count = 0`;
  return deleteUnusedFiles(transaction, userId, files);
}

/** Deletes documents of a collection with their files; undefined if there are none. */
async function deleteDocuments(
  transaction: Transaction,
  collectionId: string,
  userId: string,
): Promise<FileKey[] | undefined> {
  const found = await transaction.$queryRaw<{ id: string; fileId: string; ownsFile: boolean }[]>`
    SELECT id, file_id AS "fileId", owns_file AS "ownsFile" FROM documents
    WHERE collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid ORDER BY id LIMIT ${BATCH.documents}`;
  if (found.length === 0) return undefined;
  const files = found.filter(({ ownsFile }) => ownsFile).map(({ fileId }) => fileId);
  await lockFiles(transaction, userId, files);
  await transaction.$executeRaw`
    DELETE FROM documents WHERE id = ANY(${found.map(({ id }) => id)}::uuid[]) AND user_id = ${userId}::uuid`;
  return deleteUnusedFiles(transaction, userId, files);
}
