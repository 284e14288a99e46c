import { Injectable } from '@nestjs/common';
import { DatabaseUnavailableError, PrismaService, type Transaction } from '../../../infra/database/index.js';

/** Result of deleting a part of a conversation: it is gone, there is more, or there is no such conversation. */
export type DeletedPart = 'deleted' | 'more' | 'missing';

/** Deletes conversations in parts. What is left of one is a complete conversation without its last messages. */
@Injectable()
export class ConversationDeletionRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Deletes up to `limit` rows of each table, and the conversation if none is left. Its last part also invalidates the
   * account's cached answers by incrementing their generation: they do not record their conversation.
   * @returns `timeout` if the rows are too large for one statement and `limit` can be less; nothing was deleted
   */
  async deletePart(userId: string, id: string, limit: number): Promise<DeletedPart | 'timeout'> {
    try {
      return await this.deleteRows(userId, id, limit);
    } catch (error) {
      if (limit > 1 && error instanceof DatabaseUnavailableError && error.isStatementTimeout)
        return 'timeout';
      throw error;
    }
  }

  private deleteRows(userId: string, id: string, limit: number): Promise<DeletedPart> {
    return this.prisma.transaction(async (transaction) => {
      // A turn and a second deletion take this lock first, so each sees the tree before or after this part.
      const [conversation] = await transaction.$queryRaw<unknown[]>`
        SELECT 1 FROM conversations WHERE id = ${id}::uuid AND user_id = ${userId}::uuid FOR UPDATE`;
      if (conversation === undefined) return 'missing';
      // Shares first, so that shared links stop working at once.
      if ((await deleteShares(transaction, id, limit)) === limit) return 'more';
      if ((await releaseUsage(transaction, id, limit)) === limit) return 'more';
      if ((await deleteLastMessages(transaction, id, limit)) === limit) return 'more';
      await transaction.$executeRaw`DELETE FROM conversations WHERE id = ${id}::uuid`;
      await transaction.$executeRaw`
        UPDATE users SET cache_generation = cache_generation + 1 WHERE id = ${userId}::uuid`;
      return 'deleted';
    });
  }
}

function deleteShares(transaction: Transaction, id: string, limit: number): Promise<number> {
  return transaction.$executeRaw`
    DELETE FROM shares WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM shares WHERE conversation_id = ${id}::uuid LIMIT ${limit}))`;
}

/** Usage stays in the ledger without its conversation. */
function releaseUsage(transaction: Transaction, id: string, limit: number): Promise<number> {
  return transaction.$executeRaw`
    UPDATE usage_records SET conversation_id = NULL WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM usage_records WHERE conversation_id = ${id}::uuid LIMIT ${limit}))`;
}

/**
 * Deletes the last messages. A message has a higher position than its parent, so those before them stay a tree, and
 * the active path ends with the last of them that is on it.
 */
async function deleteLastMessages(transaction: Transaction, id: string, limit: number): Promise<number> {
  const [from] = await transaction.$queryRaw<{ position: number }[]>`
    SELECT position FROM messages WHERE conversation_id = ${id}::uuid
    ORDER BY position DESC OFFSET ${limit - 1} LIMIT 1`;
  const position = from?.position ?? 0;
  const deleted = await transaction.$executeRaw`
    DELETE FROM messages WHERE conversation_id = ${id}::uuid AND position >= ${position}`;
  await transaction.$executeRaw`
    UPDATE conversations SET next_position = ${position}, leaf_message_id = (
      SELECT id FROM messages WHERE conversation_id = ${id}::uuid AND active ORDER BY position DESC LIMIT 1)
    WHERE id = ${id}::uuid`;
  return deleted;
}
