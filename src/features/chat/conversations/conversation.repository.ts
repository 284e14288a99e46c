import { Injectable } from '@nestjs/common';
import type { Compaction } from '../model/compaction.js';
import type { MicroUsd } from '../../../common/money.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { MESSAGE_COLUMNS, StoredMessage } from '../messages/stored-message.js';

/** A stored conversation. */
export interface StoredConversation {
  readonly id: string;
  readonly title: string;
  readonly archived: boolean;
  readonly pinned: boolean;
  readonly systemPrompt: string | null;
  readonly compaction: Compaction;
  /** The newest summary on the active path. */
  readonly summary: StoredSummary | null;
  readonly leafMessageId: string | null;
  readonly tokensTotal: bigint;
  readonly costMicroUsd: MicroUsd;
  readonly unpricedAttempts: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The columns of the conversation's own row. */
export type ConversationRow = Omit<StoredConversation, 'summary'>;

/** A summary of the conversation up to a message. */
export interface StoredSummary {
  readonly text: string;
  readonly messageId: string;
  readonly model: string;
  readonly createdAt: Date;
}

/** Range of a list: `limit` entries after the one with the id `after`. */
export interface ListRange {
  readonly limit: number;
  readonly after: string | undefined;
}

/** Filter for a list of conversations. */
export interface ConversationFilter {
  /** True for archived conversations, false for the others. */
  readonly archived: boolean;
  /** True for pinned conversations only, false for all. */
  readonly pinned: boolean;
}

/** Changes to a conversation; undefined leaves a field as it is. */
export interface ConversationChanges {
  readonly title: string | undefined;
  readonly archived: boolean | undefined;
  readonly pinned: boolean | undefined;
  /** Null removes the system prompt. */
  readonly systemPrompt: string | null | undefined;
}

/** Columns of a conversation that are visible to its owner. */
const CONVERSATION = {
  id: true,
  title: true,
  archived: true,
  pinned: true,
  systemPrompt: true,
  compaction: true,
  leafMessageId: true,
  tokensTotal: true,
  costMicroUsd: true,
  unpricedAttempts: true,
  createdAt: true,
  updatedAt: true,
} as const;

/** The same columns in SQL. */
export const CONVERSATION_COLUMNS = Prisma.sql`
  id, title, archived, pinned, system_prompt AS "systemPrompt", compaction::text,
  leaf_message_id AS "leafMessageId", tokens_total AS "tokensTotal",
  cost_micro_usd AS "costMicroUsd", unpriced_attempts AS "unpricedAttempts", created_at AS "createdAt",
  updated_at AS "updatedAt"`;

/** Conversations and their messages. Every method filters by owner. */
@Injectable()
export class ConversationRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Lists conversations, newest first. Ids increase over time, so they serve as both order and cursor. */
  async listConversations(
    userId: string,
    filter: ConversationFilter,
    slice: ListRange,
  ): Promise<StoredConversation[]> {
    const rows = await this.prisma.run((client) =>
      client.$queryRaw<ConversationRow[]>(listQuery(userId, filter, slice)),
    );
    return this.withSummaries(userId, rows);
  }

  async findConversation(userId: string, id: string): Promise<StoredConversation | null> {
    const row = await this.prisma.run((client) =>
      client.conversation.findFirst({ where: { id, userId }, select: CONVERSATION }),
    );
    if (row === null) return null;
    const [conversation = null] = await this.withSummaries(userId, [row]);
    return conversation;
  }

  /**
   * Updates a conversation in one statement, so that of two concurrent changes neither undoes the other. A title set
   * here counts as set by the user.
   */
  async update(
    userId: string,
    id: string,
    { title, archived, pinned, systemPrompt }: ConversationChanges,
  ): Promise<StoredConversation | undefined> {
    const [changed] = await this.prisma.run((client) =>
      client.conversation.updateManyAndReturn({
        where: { id, userId },
        data: {
          ...(title !== undefined && { title, titledBy: 'user' }),
          ...(archived !== undefined && { archived }),
          ...(pinned !== undefined && { pinned }),
          ...(systemPrompt !== undefined && { systemPrompt }),
        },
        select: CONVERSATION,
      }),
    );
    const [conversation] = await this.withSummaries(userId, changed === undefined ? [] : [changed]);
    return conversation;
  }

  /** Returns the position of a message in its conversation; undefined if it is not there. */
  async position(userId: string, conversationId: string, messageId: string): Promise<number | undefined> {
    const message = await this.prisma.run((client) =>
      client.message.findFirst({
        where: { id: messageId, conversationId, userId },
        select: { position: true },
      }),
    );
    return message?.position;
  }

  /** Lists messages after a position, oldest first: those of the active path, or all. */
  messages(options: {
    readonly userId: string;
    readonly conversationId: string;
    readonly branches: 'active' | 'all';
    readonly limit: number;
    readonly afterPosition: number;
  }): Promise<StoredMessage[]> {
    const { userId, conversationId, branches, limit, afterPosition } = options;
    return this.prisma.run((client) =>
      client.message.findMany({
        where: {
          conversationId,
          userId,
          position: { gt: afterPosition },
          ...(branches === 'active' && { active: true }),
        },
        orderBy: { position: 'asc' },
        take: limit,
        select: MESSAGE_COLUMNS,
      }),
    );
  }

  /**
   * Adds to each conversation its newest summary on the active path: the index is read from its end, to the first
   * entry on that path.
   */
  async withSummaries(userId: string, rows: readonly ConversationRow[]): Promise<StoredConversation[]> {
    const ids = rows.filter(({ compaction }) => compaction === 'summary').map(({ id }) => id);
    if (ids.length === 0) return rows.map((row) => ({ ...row, summary: null }));
    const found = await this.prisma.run(
      (client) => client.$queryRaw<(StoredSummary & { readonly conversationId: string })[]>`
        SELECT conversation.id AS "conversationId", newest.*
        FROM unnest(${ids}::uuid[]) AS conversation (id)
        CROSS JOIN LATERAL (
          SELECT text, message_id AS "messageId", summaries.model, summaries.created_at AS "createdAt"
          FROM summaries
          JOIN messages ON messages.conversation_id = summaries.conversation_id AND messages.id = summaries.message_id
          WHERE summaries.conversation_id = conversation.id AND summaries.user_id = ${userId}::uuid AND messages.active
          ORDER BY summaries.message_id DESC LIMIT 1
        ) newest`,
    );
    const byId = new Map(found.map(({ conversationId, ...summary }) => [conversationId, summary]));
    return rows.map((row) => ({ ...row, summary: byId.get(row.id) ?? null }));
  }
}

/**
 * Builds the query for a page, which is one range of one index: of all conversations, or of the pinned ones. The
 * owner is written as a one-element array and included in ORDER BY. With a single value PostgreSQL drops it from the
 * sort order and may then scan the primary key instead, past all rows that do not match.
 */
export function listQuery(
  userId: string,
  { archived, pinned }: ConversationFilter,
  { limit, after }: ListRange,
): Prisma.Sql {
  return Prisma.sql`
    SELECT ${CONVERSATION_COLUMNS} FROM conversations
    WHERE user_id = ANY(ARRAY[${userId}::uuid]) AND archived = ${archived}
      ${pinned ? Prisma.sql`AND pinned = true` : Prisma.empty}
      ${after === undefined ? Prisma.empty : Prisma.sql`AND id < ${after}::uuid`}
    ORDER BY user_id, id DESC LIMIT ${limit}::int`;
}
