import { Injectable } from '@nestjs/common';
import type { Actor } from '../../common/actor.js';
import { Prisma } from '../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
import { AuditRepository } from '../audit/index.js';
import { assertOtherAdmin } from './user.repository.js';

/**
 * Tables with rows of accounts, in the order in which a deletion empties them: secrets first, then everything that
 * references messages and conversations, so that deleting those neither cascades nor sets columns to null in many
 * rows. `messages` are deleted with their conversations, the items of batches with these, and chunks with the ingestion that they belong to. Search words
 * are deleted with the message or title that they belong to.
 */
export const OWNED_TABLES = [
  'refresh_tokens',
  'api_keys',
  'provider_keys',
  'webhook_deliveries',
  'webhooks',
  'idempotency_keys',
  'upload_keys',
  'batches',
  'usage_records',
  'chores',
  'shares',
  'summaries',
  'attachments',
  'conversations',
  'ingestions',
  'documents',
  'collection_indexes',
  'collection_shares',
  'collections',
  'file_pages',
  'file_texts',
] as const;

/** Tables that are emptied after the stored bytes are removed, in this order: files reference their contents. */
export const STORED_FILE_TABLES = ['files', 'file_contents'] as const;

/** A table that the deletion of an account empties. */
export type OwnedTable = (typeof OWNED_TABLES)[number] | (typeof STORED_FILE_TABLES)[number];

/** The database writes of an account deletion. Each is one short transaction and may be repeated. */
@Injectable()
export class AccountDeletionRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly audit: AuditRepository,
  ) {}

  /**
   * Marks an account as being deleted and permanently disables it. The first request adds an entry to the audit log.
   * @returns whether the account exists
   * @throws LastAdminError
   */
  requestDeletion(actor: Actor, id: string): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      await assertOtherAdmin(transaction, id);
      // Neither column is part of a key, so this does not wait for transactions that are adding rows of the account.
      const now = new Date();
      const { count } = await transaction.user.updateMany({
        where: { id, deletionRequestedAt: null },
        data: { deletionRequestedAt: now, disabledAt: now },
      });
      if (count === 0) return (await transaction.user.count({ where: { id } })) === 1;
      await this.audit.insert({ actor, action: 'user.deleted', userId: id }, transaction);
      return true;
    });
  }

  /** Returns the ids of accounts that are being deleted, in order, after one of them. */
  async listPendingDeletions(after: string | undefined, limit: number): Promise<string[]> {
    const users = await this.prisma.run((client) =>
      client.user.findMany({
        where: { deletionRequestedAt: { not: null }, ...(after !== undefined && { id: { gt: after } }) },
        orderBy: { id: 'asc' },
        take: limit,
        select: { id: true },
      }),
    );
    return users.map(({ id }) => id);
  }

  /** Makes the account's email address available to others. */
  async releaseEmail(id: string): Promise<void> {
    // No address has a colon before its @, so nobody can register this one.
    await this.prisma.run((client) =>
      client.user.updateMany({
        where: { id, deletionRequestedAt: { not: null } },
        data: { email: `deleted:${id}` },
      }),
    );
  }

  /**
   * Deletes up to `limit` rows of a table; of messages and conversations together, and of chunks beside ingestions.
   * @returns the number of deleted rows, or `locked` if another process is deleting the same account
   */
  deleteBatch(userId: string, table: OwnedTable, limit: number): Promise<number | 'locked'> {
    return this.prisma.transaction(async (transaction) => {
      // If two processes resume the same deletion, only one deletes at a time. The lock ends with the transaction.
      const [lock] = await transaction.$queryRaw<{ taken: boolean }[]>`
        SELECT pg_try_advisory_xact_lock(hashtextextended(${`account deletion ${userId}`}, 0)) AS taken`;
      if (lock?.taken !== true) return 'locked';
      if (table === 'batches') return deleteBatches(transaction, userId, limit);
      if (table === 'conversations') return deleteConversations(transaction, userId, limit);
      if (table === 'ingestions') return deleteIngestions(transaction, userId, limit);
      const name = Prisma.raw(`"${table}"`);
      return transaction.$executeRaw`
        DELETE FROM ${name} WHERE user_id = ${userId}::uuid AND ctid = ANY(ARRAY(
          SELECT ctid FROM ${name} WHERE user_id = ${userId}::uuid LIMIT ${limit}))`;
    });
  }

  /** Deletes the row of an account without any data left. */
  async deleteAccount(id: string): Promise<void> {
    await this.prisma.run((client) =>
      client.user.deleteMany({ where: { id, deletionRequestedAt: { not: null } } }),
    );
  }
}

/** Deletes up to `limit` items of batches, and once there are none left the batches. */
async function deleteBatches(transaction: Transaction, userId: string, limit: number): Promise<number> {
  // Found by their batches, because no index has the items of an account.
  const items = await transaction.$executeRaw`
    DELETE FROM batch_items WHERE (batch_id, line) IN (
      SELECT item.batch_id, item.line FROM batches
      CROSS JOIN LATERAL (
        SELECT batch_id, line FROM batch_items WHERE batch_id = batches.id ORDER BY line LIMIT ${limit}
      ) item
      WHERE batches.user_id = ${userId}::uuid
      ORDER BY item.batch_id, item.line LIMIT ${limit})`;
  if (items > 0) return items;
  return transaction.$executeRaw`
    DELETE FROM batches WHERE id IN (SELECT id FROM batches WHERE user_id = ${userId}::uuid LIMIT ${limit})`;
}

/** Deletes ingestions with up to `limit` chunks in total, or the last chunks of one that has more. */
async function deleteIngestions(transaction: Transaction, userId: string, limit: number): Promise<number> {
  const found = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM ingestions WHERE user_id = ${userId}::uuid ORDER BY id LIMIT ${limit}`;
  if (found.length === 0) return 0;
  const ids = found.map(({ id }) => id);
  const [shrunk] = await transaction.$queryRaw<{ chunks: number }[]>`
    SELECT shrink_ingestions(${ids}::uuid[], ${limit}::int) AS chunks`;
  const deleted = await transaction.$executeRaw`
    DELETE FROM ingestions WHERE id = ANY(${ids}::uuid[]) AND chunked_count = 0`;
  return (shrunk?.chunks ?? 0) + deleted;
}

/** Deletes conversations with up to `limit` messages in total, or the last messages of one that has more. */
async function deleteConversations(transaction: Transaction, userId: string, limit: number): Promise<number> {
  // A conversation has at most as many messages as positions. The order is that of the index.
  const found = await transaction.$queryRaw<{ id: string; positions: number }[]>`
    SELECT id, next_position AS positions FROM conversations
    WHERE user_id = ${userId}::uuid ORDER BY archived, id DESC LIMIT ${limit}`;
  const [first] = found;
  if (first === undefined) return 0;
  let rows = 0;
  const whole = found.filter(({ positions }) => (rows += positions + 1) <= limit).map(({ id }) => id);
  if (whole.length === 0) return deleteLastMessages(transaction, first.id, limit);
  // Conversations are locked before their messages, as in every other transaction, so there are no deadlocks.
  await transaction.$queryRaw`SELECT 1 FROM conversations WHERE id = ANY(${whole}::uuid[]) ORDER BY id FOR UPDATE`;
  const messages =
    await transaction.$executeRaw`DELETE FROM messages WHERE conversation_id = ANY(${whole}::uuid[])`;
  return (
    messages + (await transaction.$executeRaw`DELETE FROM conversations WHERE id = ANY(${whole}::uuid[])`)
  );
}

/**
 * Deletes the last messages of a conversation. A message has a higher position than its parent, so the last ones can
 * be deleted without those before them.
 */
async function deleteLastMessages(transaction: Transaction, id: string, limit: number): Promise<number> {
  await transaction.$queryRaw`SELECT 1 FROM conversations WHERE id = ${id}::uuid FOR UPDATE`;
  const [from] = await transaction.$queryRaw<{ position: number }[]>`
    SELECT position FROM messages WHERE conversation_id = ${id}::uuid ORDER BY position DESC OFFSET ${limit - 1} LIMIT 1`;
  const position = from?.position ?? 0;
  const deleted = await transaction.$executeRaw`
    DELETE FROM messages WHERE conversation_id = ${id}::uuid AND position >= ${position}`;
  await transaction.$executeRaw`UPDATE conversations SET next_position = ${position} WHERE id = ${id}::uuid`;
  // Count the conversation's row, which remains to be deleted even if no message is left.
  return deleted + 1;
}
