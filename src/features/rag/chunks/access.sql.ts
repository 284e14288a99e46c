import { Prisma } from '../../../generated/prisma/client.js';

/** The collections that an account searches. Those that it may not read have no effect. */
export interface SearchAccess {
  /** The account that asks. */
  readonly userId: string;
  readonly collectionIds: readonly string[];
}

/**
 * Condition on `collections`: an account may read its own, and those that active accounts share with it, until they are
 * deleted.
 */
export function isReadableBy(userId: string): Prisma.Sql {
  return Prisma.sql`collections.deleted_at IS NULL AND (collections.user_id = ${userId}::uuid OR (
    collections.id IN (SELECT collection_id FROM collection_shares WHERE user_id = ${userId}::uuid)
    AND EXISTS (SELECT 1 FROM users WHERE users.id = collections.user_id AND users.disabled_at IS NULL)))`;
}

/**
 * Condition on `collections` and `collection_indexes`: the collection is one of those that are searched, the account may
 * read it, and the index is the one that searches read. Every statement of a search has it, so that a share that is
 * revoked ends with the next statement.
 */
export function isReadable({ userId, collectionIds }: SearchAccess): Prisma.Sql {
  return Prisma.sql`collections.id = ANY(${[...collectionIds]}::uuid[]) AND collection_indexes.status = 'active'
    AND ${isReadableBy(userId)}`;
}

/**
 * Beginning of a statement that searches: computes once which indexes the account may search. Conditions refer to it by
 * {@link READABLE_INDEX_IDS}, which keeps the statement small: planning is a large part of the time of a search.
 */
export function withReadableIndexes(access: SearchAccess): Prisma.Sql {
  return Prisma.sql`WITH readable AS MATERIALIZED (
    SELECT collection_indexes.id, collections.id AS collection_id FROM collection_indexes
    JOIN collections ON collections.id = collection_indexes.collection_id
    WHERE ${isReadable(access)})`;
}

/** Expression for the ids of the indexes that the account may search, in a statement with {@link withReadableIndexes}. */
export const READABLE_INDEX_IDS = Prisma.sql`ARRAY(SELECT readable.id FROM readable)`;
