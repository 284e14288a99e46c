import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../../common/errors.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import { toAnswerParameters } from './generation-parameters.js';
import { ConversationBusyError } from '../model/chat.errors.js';
import { MESSAGE_COLUMNS } from './stored-message.js';
import { type StoredMessage } from './stored-message.js';
import { toStoredRetrieval } from '../model/answer-sources.js';
import { type ToolCall, toToolCalls } from '../model/tool-calls.js';
import type { AnswerParameters } from '../model/answer-parameters.js';

/** A message at which a branch begins. */
export interface BranchPoint {
  readonly id: string;
  readonly conversationId: string;
  readonly parentId: string | null;
  readonly role: StoredMessage['role'];
  readonly status: StoredMessage['status'];
  readonly content: string;
  /** For an answer: the requested model and its parameters. */
  readonly model: string | null;
  readonly parameters: AnswerParameters;
  /** Tool calls of the answer. */
  readonly calls: readonly ToolCall[];
  /** Collections that the answer is based on. */
  readonly collectionIds: readonly string[];
}

/** The previous and next sibling of a message. */
export interface AdjacentSiblings {
  readonly id: string;
  readonly previous: string | null;
  readonly next: string | null;
}

/** Reads and changes the message tree of a conversation. Every method filters by owner. */
@Injectable()
export class MessageTreeRepository {
  constructor(private readonly prisma: PrismaService) {}

  findMessage(userId: string, conversationId: string, id: string): Promise<BranchPoint | null> {
    return this.first({ userId, conversationId, id });
  }

  /** Finds a message by its id alone. */
  findMessageById(userId: string, id: string): Promise<BranchPoint | null> {
    return this.first({ userId, id });
  }

  /** Returns the end of the active path; null if there is no such conversation, or if it is empty. */
  async findPathEnd(userId: string, conversationId: string): Promise<BranchPoint | null> {
    const conversation = await this.prisma.run((client) =>
      client.conversation.findFirst({
        where: { id: conversationId, userId },
        select: { leafMessageId: true },
      }),
    );
    const id = conversation?.leafMessageId;
    return id ? this.first({ userId, conversationId, id }) : null;
  }

  /** Returns the newest answer to a message, if there is one. */
  newestAnswer(userId: string, conversationId: string, parentId: string): Promise<BranchPoint | null> {
    return this.first({ userId, conversationId, parentId, role: 'assistant' });
  }

  /** Lists the messages with the same parent, or without one, oldest first, after a position. */
  siblings(options: {
    readonly userId: string;
    readonly conversationId: string;
    readonly parentId: string | null;
    readonly limit: number;
    readonly afterPosition: number;
  }): Promise<StoredMessage[]> {
    const { userId, conversationId, parentId, limit, afterPosition } = options;
    return this.prisma.run((client) =>
      client.message.findMany({
        where: { userId, conversationId, parentId, position: { gt: afterPosition } },
        orderBy: { position: 'asc' },
        take: limit,
        select: MESSAGE_COLUMNS,
      }),
    );
  }

  /**
   * Returns the siblings next to each of the messages. Takes two index lookups per message, however many siblings
   * there are.
   */
  listAdjacentSiblings(
    userId: string,
    conversationId: string,
    ids: readonly string[],
  ): Promise<AdjacentSiblings[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<AdjacentSiblings[]>`
        SELECT message.id, previous.id AS previous, next.id AS next
        FROM messages message
        LEFT JOIN LATERAL (
          (SELECT id, position FROM messages
           WHERE conversation_id = message.conversation_id AND parent_id = message.parent_id AND position < message.position
           ORDER BY position DESC LIMIT 1)
          UNION ALL
          (SELECT id, position FROM messages
           WHERE message.parent_id IS NULL AND conversation_id = message.conversation_id AND parent_id IS NULL AND position < message.position
           ORDER BY position DESC LIMIT 1)
        ) previous ON true
        LEFT JOIN LATERAL (
          (SELECT id, position FROM messages
           WHERE conversation_id = message.conversation_id AND parent_id = message.parent_id AND position > message.position
           ORDER BY position LIMIT 1)
          UNION ALL
          (SELECT id, position FROM messages
           WHERE message.parent_id IS NULL AND conversation_id = message.conversation_id AND parent_id IS NULL AND position > message.position
           ORDER BY position LIMIT 1)
        ) next ON true
        WHERE message.conversation_id = ${conversationId}::uuid AND message.user_id = ${userId}::uuid
          AND message.id = ANY(${ids}::uuid[])`,
    );
  }

  /**
   * Makes the path through a message the active one, down to its newest end. Changes nothing if it is active
   * already.
   * @throws NotFoundError
   * @throws ConversationBusyError
   */
  async activate(userId: string, conversationId: string, id: string): Promise<void> {
    await this.prisma.transaction(async (transaction) => {
      // The same lock that a turn takes: neither sees a partial change of the other.
      const [conversation] = await transaction.$queryRaw<unknown[]>`
        SELECT 1 FROM conversations WHERE id = ${conversationId}::uuid AND user_id = ${userId}::uuid FOR NO KEY UPDATE`;
      if (conversation === undefined) throw new NotFoundError('conversation', conversationId);
      const message = await transaction.message.findFirst({
        where: { id, conversationId, userId },
        select: { active: true },
      });
      if (message === null) throw new NotFoundError('message', id);
      if (message.active) return;
      await assertNotGenerating(transaction, conversationId);
      const leafMessageId = await newestEnd(transaction, conversationId, id);
      await transaction.$executeRaw`SELECT activate_path(${conversationId}::uuid, ${leafMessageId}::uuid)`;
      await transaction.conversation.update({
        where: { id: conversationId },
        data: { leafMessageId },
        select: { id: true },
      });
    });
  }

  private async first(where: {
    readonly userId: string;
    readonly conversationId?: string;
    readonly id?: string;
    readonly parentId?: string;
    readonly role?: 'assistant';
  }): Promise<BranchPoint | null> {
    const row = await this.prisma.run((client) =>
      client.message.findFirst({
        where,
        orderBy: { position: 'desc' },
        select: {
          id: true,
          conversationId: true,
          parentId: true,
          role: true,
          status: true,
          content: true,
          model: true,
          options: true,
          toolCalls: true,
          sources: true,
        },
      }),
    );
    if (row === null) return null;
    const { options, toolCalls, sources, ...point } = row;
    const collectionIds = toStoredRetrieval(sources)?.collectionIds ?? [];
    return {
      ...point,
      parameters: toAnswerParameters(options),
      calls: toToolCalls(toolCalls),
      collectionIds,
    };
  }
}

/**
 * Rejects a change while an answer is being generated. The caller holds the conversation's lock, so no turn can
 * begin after this check.
 * @throws ConversationBusyError
 */
export async function assertNotGenerating(transaction: Transaction, conversationId: string): Promise<void> {
  // The status is a literal, as in the partial index: with a parameter PostgreSQL would not use the index and read
  // all messages.
  const [running] = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM messages WHERE conversation_id = ${conversationId}::uuid AND status = 'generating'`;
  if (running !== undefined) throw new ConversationBusyError(running.id);
}

/** Returns the end of the path that continues from a message with its newest child at each step. */
async function newestEnd(transaction: Transaction, conversationId: string, id: string): Promise<string> {
  const [end] = await transaction.$queryRaw<{ id: string }[]>`
    WITH RECURSIVE path AS (
      SELECT id, position FROM messages WHERE conversation_id = ${conversationId}::uuid AND id = ${id}::uuid
      UNION ALL
      SELECT child.id, child.position
      FROM path CROSS JOIN LATERAL (
        SELECT id, position FROM messages
        WHERE conversation_id = ${conversationId}::uuid AND parent_id = path.id
        ORDER BY position DESC LIMIT 1
      ) child
    )
    SELECT id FROM path ORDER BY position DESC LIMIT 1`;
  return end?.id ?? id;
}
