import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { FileKey } from '../../files/index.js';
import { CHUNKER_VERSION } from '../model/chunker.js';
import { TOKENIZER_VERSION } from '../model/tokenizer.js';
import { deleteUnusedFiles, lockFiles } from './document-files.repository.js';
import type { IngestionRef } from './ingestion.js';

/** The way in which a new index is built. */
export interface NewIndexSettings {
  /** Full name of the embedding model; null for lexical search only. */
  readonly embeddingModel: string | null;
  readonly chunkTokens: number;
  readonly chunkOverlap: number;
}

/** Key of a collection. */
export interface CollectionRef {
  readonly userId: string;
  readonly collectionId: string;
}

/** Maximum duration of a transaction that changes all documents of a collection, in milliseconds. */
const REINDEX_TIMEOUT_MS = 30_000;

/** Begins and ends the building of indexes. */
@Injectable()
export class ReindexRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Gives a collection new settings and begins to build an index with them beside the active one. One that is being
   * built is given up: the later request wins. If the active index has these settings already, nothing is built.
   * @returns the ingestions to be announced
   * @throws NotFoundError if there is no such collection
   */
  beginReindex({ userId, collectionId }: CollectionRef, settings: NewIndexSettings): Promise<IngestionRef[]> {
    const { embeddingModel, chunkTokens, chunkOverlap } = settings;
    return this.prisma.transaction(async (transaction) => {
      await lockCollectionForIndex(transaction, { userId, collectionId });
      await transaction.$executeRaw`
        UPDATE collections
        SET embedding_model = ${embeddingModel}, chunk_tokens = ${chunkTokens}::int,
          chunk_overlap = ${chunkOverlap}::int, updated_at = now()
        WHERE id = ${collectionId}::uuid AND user_id = ${userId}::uuid`;
      await retireIndex(transaction, { userId, collectionId }, 'building');
      const [active] = await transaction.$queryRaw<{ id: string; isEqual: boolean }[]>`
        SELECT id, embedding_model IS NOT DISTINCT FROM ${embeddingModel} AND chunk_tokens = ${chunkTokens}::int
          AND chunk_overlap = ${chunkOverlap}::int AND chunker_version = ${CHUNKER_VERSION}::int
          AND tokenizer_version = ${TOKENIZER_VERSION}::int AS "isEqual"
        FROM collection_indexes
        WHERE collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid AND status = 'active'`;
      if (active === undefined) throw new Error('A collection has no active index.');
      if (active.isEqual) return [];
      const indexId = newId();
      await transaction.$executeRaw`
        INSERT INTO collection_indexes (id, collection_id, user_id, status, embedding_model, chunk_tokens,
          chunk_overlap, chunker_version, tokenizer_version)
        VALUES (${indexId}::uuid, ${collectionId}::uuid, ${userId}::uuid, 'building', ${embeddingModel},
          ${chunkTokens}::int, ${chunkOverlap}::int, ${CHUNKER_VERSION}::int, ${TOKENIZER_VERSION}::int)`;
      return copyIngestions(transaction, userId, { from: active.id, to: indexId });
    }, REINDEX_TIMEOUT_MS);
  }

  /**
   * Makes the index that is being built the active one, if it has everything that searches see. The one before is
   * retired: its rows are deleted later. Repeating it is harmless.
   * @returns bytes that nothing references any more; undefined if nothing was switched
   */
  async switchIndex(ref: CollectionRef): Promise<FileKey[] | undefined> {
    const { userId, collectionId } = ref;
    // Without the lock first, because it makes new documents wait.
    if ((await this.prisma.run((client) => selectReadyIndex(client, ref))) === undefined) return undefined;
    return this.prisma.transaction(async (transaction) => {
      await lockCollectionForIndex(transaction, ref);
      const built = await selectReadyIndex(transaction, ref);
      if (built === undefined) return undefined;
      const replaced = await selectReplacedFiles(transaction, userId, built);
      await lockFiles(transaction, userId, replaced);
      await retireIndex(transaction, ref, 'active');
      await transaction.$executeRaw`
        UPDATE collection_indexes SET status = 'active' WHERE id = ${built}::uuid AND user_id = ${userId}::uuid`;
      // Versions that were finished in the new index before the old one.
      await transaction.$executeRaw`
        UPDATE documents
        SET file_id = ingestions.file_id, owns_file = ingestions.owns_file, hash = ingestions.hash,
          title = ingestions.title, metadata = ingestions.metadata, updated_at = now()
        FROM ingestions
        WHERE ingestions.index_id = ${built}::uuid AND ingestions.visible
          AND documents.id = ingestions.document_id AND documents.user_id = ${userId}::uuid
          AND (documents.file_id, documents.title, documents.metadata)
            IS DISTINCT FROM (ingestions.file_id, ingestions.title, ingestions.metadata)`;
      await transaction.$executeRaw`
        UPDATE collections SET updated_at = now() WHERE id = ${collectionId}::uuid AND user_id = ${userId}::uuid`;
      return deleteUnusedFiles(transaction, userId, replaced);
    }, REINDEX_TIMEOUT_MS);
  }

  /** Returns the collections for which an index is being built. */
  listReindexedCollections(limit: number): Promise<CollectionRef[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<CollectionRef[]>`
        SELECT collections.id AS "collectionId", collections.user_id AS "userId"
        FROM collection_indexes JOIN collections ON collections.id = collection_indexes.collection_id
        WHERE collection_indexes.status = 'building' AND collections.deleted_at IS NULL
        ORDER BY collections.id LIMIT ${limit}`,
    );
  }
}

/**
 * Locks a collection: new documents, and ingestions that become visible, wait until the commit.
 * @throws NotFoundError if there is no such collection
 */
async function lockCollectionForIndex(
  transaction: Transaction,
  { userId, collectionId }: CollectionRef,
): Promise<void> {
  const [collection] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM collections
    WHERE id = ${collectionId}::uuid AND user_id = ${userId}::uuid AND deleted_at IS NULL FOR UPDATE`;
  if (collection === undefined) throw new NotFoundError('collection', collectionId);
}

/**
 * Moves an index to a collection that exists for nobody, whose rows the sweep deletes in batches. Searches, documents and
 * claims find it no longer, from the commit on.
 */
async function retireIndex(
  transaction: Transaction,
  { userId, collectionId }: CollectionRef,
  status: 'active' | 'building',
): Promise<void> {
  const [index] = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM collection_indexes
    WHERE collection_id = ${collectionId}::uuid AND user_id = ${userId}::uuid
      AND status = ${status}::collection_index_status`;
  if (index === undefined) return;
  const retired = newId();
  await transaction.$executeRaw`
    INSERT INTO collections (id, user_id, name, embedding_model, chunk_tokens, chunk_overlap, deleted_at)
    SELECT ${retired}::uuid, user_id, name, embedding_model, chunk_tokens, chunk_overlap, now()
    FROM collections WHERE id = ${collectionId}::uuid AND user_id = ${userId}::uuid`;
  await transaction.$executeRaw`
    UPDATE collection_indexes SET collection_id = ${retired}::uuid
    WHERE id = ${index.id}::uuid AND user_id = ${userId}::uuid`;
}

/**
 * Inserts ingestions for a new index: of the version that searches see, and of the latest one, of each document. What
 * its owner has cancelled stays so, and so does a replacement that failed: another document may have got its bytes.
 */
async function copyIngestions(
  transaction: Transaction,
  userId: string,
  index: { readonly from: string; readonly to: string },
): Promise<IngestionRef[]> {
  const sources = await transaction.$queryRaw<{ id: string }[]>`
    SELECT ingestions.id FROM ingestions JOIN documents ON documents.id = ingestions.document_id
    WHERE ingestions.index_id = ${index.from}::uuid AND ingestions.user_id = ${userId}::uuid
      AND (ingestions.visible OR ingestions.version = documents.version)
    ORDER BY documents.id, ingestions.version`;
  const ids = sources.map(() => newId());
  await transaction.$executeRaw`
    INSERT INTO ingestions (id, document_id, index_id, user_id, file_id, owns_file, hash, title, metadata, version,
      status, due_at, error_code, error_message)
    SELECT copy.id, document_id, ${index.to}::uuid, ingestions.user_id, ingestions.file_id, ingestions.owns_file,
      ingestions.hash, ingestions.title, ingestions.metadata, ingestions.version,
      CASE WHEN ended.stays THEN status ELSE 'queued' END, CASE WHEN ended.stays THEN NULL ELSE now() END,
      CASE WHEN ended.stays THEN error_code END, CASE WHEN ended.stays THEN error_message END
    FROM unnest(${ids}::uuid[], ${sources.map(({ id }) => id)}::uuid[]) AS copy (id, source)
    JOIN ingestions ON ingestions.id = copy.source
    JOIN documents ON documents.id = ingestions.document_id
    CROSS JOIN LATERAL (
      SELECT status = 'cancelled' OR status = 'failed' AND ingestions.hash <> documents.hash) AS ended (stays)`;
  return ids.map((id) => ({ id, userId }));
}

/** Returns the index that is being built, if it can replace the active one. */
async function selectReadyIndex(
  client: Pick<Transaction, '$queryRaw'>,
  { userId, collectionId }: CollectionRef,
): Promise<string | undefined> {
  const [built] = await client.$queryRaw<{ id: string }[]>`
    SELECT building.id
    FROM collection_indexes AS building
    JOIN collections ON collections.id = building.collection_id AND collections.deleted_at IS NULL
    JOIN collection_indexes AS active ON active.collection_id = building.collection_id AND active.status = 'active'
    WHERE building.collection_id = ${collectionId}::uuid AND building.user_id = ${userId}::uuid
      AND building.status = 'building'
      AND NOT EXISTS (
        SELECT 1 FROM ingestions AS shown
        WHERE shown.index_id = active.id AND shown.visible AND NOT EXISTS (
          SELECT 1 FROM ingestions AS rebuilt
          WHERE rebuilt.document_id = shown.document_id AND rebuilt.index_id = building.id AND rebuilt.visible
            AND rebuilt.version >= shown.version))`;
  return built?.id;
}

/** Returns the files that were created for versions of documents that the new index replaces. */
async function selectReplacedFiles(
  transaction: Transaction,
  userId: string,
  indexId: string,
): Promise<string[]> {
  const files = await transaction.$queryRaw<{ id: string }[]>`
    SELECT documents.file_id AS id
    FROM documents JOIN ingestions ON ingestions.document_id = documents.id
    WHERE ingestions.index_id = ${indexId}::uuid AND ingestions.visible AND documents.user_id = ${userId}::uuid
      AND documents.owns_file AND documents.file_id <> ingestions.file_id`;
  return files.map(({ id }) => id);
}
