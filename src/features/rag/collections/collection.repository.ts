import { Injectable } from '@nestjs/common';
import { AppError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import { isReadableBy } from '../chunks/access.sql.js';
import { CHUNKER_VERSION } from '../model/chunker.js';
import { TOKENIZER_VERSION } from '../model/tokenizer.js';
import {
  CollectionNameTakenError,
  ReindexRequiredError,
  TooManyCollectionsError,
} from './collection.errors.js';
import {
  COLLECTION_ID,
  type IndexSettings,
  MAX_COLLECTIONS,
  sameIndexSettings,
} from './collection-settings.js';

/** A collection as an account that may read it sees it. */
export interface StoredCollection extends IndexSettings {
  readonly id: string;
  /** The account that it belongs to. */
  readonly ownerId: string;
  /** True if it belongs to the account that reads it. */
  readonly isOwned: boolean;
  readonly name: string;
  readonly description: string | null;
  readonly documentCount: number;
  /** Number of chunks that searches see. */
  readonly chunkCount: number;
  /** The index that is being built; null if there is none. */
  readonly reindex: ReindexState | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The state of an index that is being built. */
export interface ReindexState extends IndexSettings {
  readonly documentCount: number;
  /** Number of documents whose chunks are in it. */
  readonly finishedCount: number;
}

/** A collection to be created. */
export interface NewCollection extends IndexSettings {
  readonly userId: string;
  readonly name: string;
  readonly description: string | null;
}

/** Changes of a collection; undefined leaves a field as it is. */
export interface CollectionChanges {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
  readonly settings?: IndexSettings | undefined;
}

/** A part of a list. */
export interface CollectionSlice {
  readonly limit: number;
  readonly after: string | undefined;
}

/** A row of the query for collections. */
interface CollectionRow extends Omit<StoredCollection, 'reindex'> {
  readonly buildingId: string | null;
  readonly buildingModel: string | null;
  readonly buildingTokens: number | null;
  readonly buildingOverlap: number | null;
  readonly buildingDocuments: number;
  readonly buildingFinished: number;
}

/** Stores collections. Every query filters by the account that owns a collection or may read it. */
@Injectable()
export class CollectionRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts a collection and its empty index.
   * @throws AppError `unauthorized` if the account has been disabled meanwhile
   * @throws CollectionNameTakenError, TooManyCollectionsError
   */
  insertCollection(collection: NewCollection): Promise<StoredCollection> {
    const { userId, name, description, embeddingModel, chunkTokens, chunkOverlap } = collection;
    const id = newId();
    return this.prisma.transaction(async (transaction) => {
      await lockAccount(transaction, userId);
      // The unique index decides a race for the name.
      const inserted = await transaction.$executeRaw`
        INSERT INTO collections (id, user_id, name, description, embedding_model, chunk_tokens, chunk_overlap)
        VALUES (${id}::uuid, ${userId}::uuid, ${name}, ${description}, ${embeddingModel}, ${chunkTokens}::int,
          ${chunkOverlap}::int)
        ON CONFLICT (user_id, name) WHERE deleted_at IS NULL DO NOTHING`;
      if (inserted === 0) throw new CollectionNameTakenError(name);
      const [{ count } = { count: 0 }] = await transaction.$queryRaw<{ count: number }[]>`
        SELECT count(*)::int AS count FROM collections WHERE user_id = ${userId}::uuid AND deleted_at IS NULL`;
      if (count > MAX_COLLECTIONS) throw new TooManyCollectionsError();
      await transaction.$executeRaw`
        INSERT INTO collection_indexes (id, collection_id, user_id, status, embedding_model, chunk_tokens,
          chunk_overlap, chunker_version, tokenizer_version)
        VALUES (${newId()}::uuid, ${id}::uuid, ${userId}::uuid, 'active', ${embeddingModel}, ${chunkTokens}::int,
          ${chunkOverlap}::int, ${CHUNKER_VERSION}::int, ${TOKENIZER_VERSION}::int)`;
      return readCollection(transaction, userId, id);
    });
  }

  /**
   * Finds a collection that an account may read.
   * @param reference id, or name of one of its own
   */
  findReadable(userId: string, reference: string): Promise<StoredCollection | undefined> {
    return this.prisma.run((client) => selectReadable(client, userId, reference));
  }

  /** Lists the collections that an account may read, newest first. */
  async listCollections(userId: string, { limit, after }: CollectionSlice): Promise<StoredCollection[]> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<CollectionRow[]>`
        ${selectCollections(userId)}
        WHERE ${isReadableBy(userId)}
          ${after === undefined ? Prisma.empty : Prisma.sql`AND collections.id < ${after}::uuid`}
        ORDER BY collections.id DESC LIMIT ${limit}`,
    );
    return rows.map(toStoredCollection);
  }

  /**
   * Changes a collection of an account.
   * @returns undefined if the account has no such collection
   * @throws CollectionNameTakenError
   * @throws ReindexRequiredError if the settings of its index would change, and it has documents
   */
  updateCollection(
    userId: string,
    id: string,
    { name, description, settings }: CollectionChanges,
  ): Promise<StoredCollection | undefined> {
    return this.prisma.transaction(async (transaction) => {
      await lockAccount(transaction, userId);
      // A new document of the collection refers to this row, so its insert waits for this lock: either the next
      // statement sees it, or it reads the new settings.
      const [locked] = await transaction.$queryRaw<{ name: string }[]>`
        SELECT name FROM collections
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND deleted_at IS NULL FOR UPDATE`;
      if (locked === undefined) return undefined;
      if (settings !== undefined) await updateSettings(transaction, userId, id, settings);
      if (name !== undefined && name !== locked.name) await assertNameFree(transaction, userId, name);
      await transaction.$executeRaw`
        UPDATE collections SET updated_at = now(),
          name = COALESCE(${name ?? null}, name),
          description = CASE WHEN ${description !== undefined}::boolean THEN ${description ?? null} ELSE description END
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid`;
      return readCollection(transaction, userId, id);
    });
  }

  /**
   * Deletes a collection of an account: nobody sees it or its files from then on. Its rows are deleted afterwards, in
   * batches.
   * @returns false if the account has no such collection
   */
  deleteCollection(userId: string, id: string): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      const deleted = await transaction.$executeRaw`
        UPDATE collections SET deleted_at = now()
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND deleted_at IS NULL`;
      if (deleted === 0) return false;
      // Expired files no longer exist for their owner. The sweep deletes their rows with those of the collection.
      const files = await transaction.$queryRaw<{ id: string }[]>`
        SELECT id FROM files
        WHERE user_id = ${userId}::uuid AND id IN (
            SELECT file_id FROM documents WHERE collection_id = ${id}::uuid AND owns_file
            UNION SELECT ingestions.file_id FROM ingestions JOIN documents ON documents.id = ingestions.document_id
            WHERE documents.collection_id = ${id}::uuid AND ingestions.owns_file)
          AND NOT EXISTS (
            SELECT 1 FROM documents JOIN collections ON collections.id = documents.collection_id
            WHERE documents.file_id = files.id AND collections.deleted_at IS NULL)
          AND NOT EXISTS (
            SELECT 1 FROM ingestions
            JOIN documents ON documents.id = ingestions.document_id
            JOIN collections ON collections.id = documents.collection_id
            WHERE ingestions.file_id = files.id AND collections.deleted_at IS NULL)
        ORDER BY id FOR NO KEY UPDATE`;
      await transaction.$executeRaw`
        UPDATE files SET expires_at = now()
        WHERE user_id = ${userId}::uuid AND id = ANY(${files.map((file) => file.id)}::uuid[])`;
      return true;
    });
  }
}

/**
 * Serializes the new names and collections of an account, which makes the bound exact and the name unique before the
 * index would refuse it. Taken before any lock of a collection, as by the insert of a document.
 * @throws AppError `unauthorized` if the account is disabled or deleted
 */
async function lockAccount(transaction: Transaction, userId: string): Promise<void> {
  const [account] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM users WHERE id = ${userId}::uuid AND disabled_at IS NULL FOR NO KEY UPDATE`;
  if (account === undefined) throw new AppError('unauthorized', 'The account was disabled.');
}

function selectCollections(userId: string): Prisma.Sql {
  return Prisma.sql`
    SELECT collections.id, collections.user_id AS "ownerId", collections.user_id = ${userId}::uuid AS "isOwned",
      collections.name, collections.description, collections.created_at AS "createdAt",
      collections.updated_at AS "updatedAt", active.embedding_model AS "embeddingModel",
      active.chunk_tokens AS "chunkTokens", active.chunk_overlap AS "chunkOverlap",
      (SELECT count(*)::int FROM documents WHERE collection_id = collections.id) AS "documentCount",
      (SELECT COALESCE(sum(chunk_count), 0)::int FROM ingestions WHERE index_id = active.id AND visible) AS "chunkCount",
      building.id AS "buildingId", building.embedding_model AS "buildingModel",
      building.chunk_tokens AS "buildingTokens", building.chunk_overlap AS "buildingOverlap",
      (SELECT count(DISTINCT document_id)::int FROM ingestions WHERE index_id = building.id) AS "buildingDocuments",
      (SELECT count(*)::int FROM ingestions WHERE index_id = building.id AND visible) AS "buildingFinished"
    FROM collections
    JOIN collection_indexes active ON active.collection_id = collections.id AND active.status = 'active'
    LEFT JOIN collection_indexes building
      ON building.collection_id = collections.id AND building.status = 'building'`;
}

async function selectReadable(
  client: Pick<Transaction, '$queryRaw'>,
  userId: string,
  reference: string,
): Promise<StoredCollection | undefined> {
  const isReferred = COLLECTION_ID.test(reference)
    ? Prisma.sql`collections.id = ${reference}::uuid`
    : Prisma.sql`collections.user_id = ${userId}::uuid AND collections.name = ${reference}`;
  const [row] = await client.$queryRaw<CollectionRow[]>`
    ${selectCollections(userId)} WHERE ${isReferred} AND ${isReadableBy(userId)}`;
  return row && toStoredCollection(row);
}

async function readCollection(
  transaction: Transaction,
  userId: string,
  id: string,
): Promise<StoredCollection> {
  const collection = await selectReadable(transaction, userId, id);
  if (collection === undefined) throw new Error('The row of a collection is missing in its own transaction.');
  return collection;
}

/** Changes the settings of an empty collection and of its index. */
async function updateSettings(
  transaction: Transaction,
  userId: string,
  id: string,
  settings: IndexSettings,
): Promise<void> {
  const { embeddingModel, chunkTokens, chunkOverlap } = settings;
  const current = await readCollection(transaction, userId, id);
  if (sameIndexSettings(current, settings) && current.reindex === null) return;
  if (current.documentCount > 0) {
    if (sameIndexSettings(current, settings)) return;
    const param = current.embeddingModel === embeddingModel ? 'chunk_tokens' : 'embedding_model';
    throw new ReindexRequiredError(id, param);
  }
  await transaction.$executeRaw`
    UPDATE collections SET embedding_model = ${embeddingModel}, chunk_tokens = ${chunkTokens}::int,
      chunk_overlap = ${chunkOverlap}::int
    WHERE id = ${id}::uuid AND user_id = ${userId}::uuid`;
  await transaction.$executeRaw`
    UPDATE collection_indexes SET embedding_model = ${embeddingModel}, chunk_tokens = ${chunkTokens}::int,
      chunk_overlap = ${chunkOverlap}::int, dimensions = NULL
    WHERE collection_id = ${id}::uuid AND user_id = ${userId}::uuid AND status = 'active'`;
}

/** @throws CollectionNameTakenError */
async function assertNameFree(transaction: Transaction, userId: string, name: string): Promise<void> {
  const [taken] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM collections WHERE user_id = ${userId}::uuid AND name = ${name} AND deleted_at IS NULL`;
  if (taken !== undefined) throw new CollectionNameTakenError(name);
}

function toStoredCollection(row: CollectionRow): StoredCollection {
  const {
    buildingId,
    buildingModel,
    buildingTokens,
    buildingOverlap,
    buildingDocuments,
    buildingFinished,
    ...collection
  } = row;
  const reindex =
    buildingId === null || buildingTokens === null || buildingOverlap === null
      ? null
      : {
          embeddingModel: buildingModel,
          chunkTokens: buildingTokens,
          chunkOverlap: buildingOverlap,
          documentCount: buildingDocuments,
          finishedCount: buildingFinished,
        };
  return { ...collection, reindex };
}
