import { Injectable } from '@nestjs/common';
import type { Compaction } from './compaction.js';
import type { MicroUsd } from '../../common/money.js';
import { PrismaService } from '../../infra/database/index.js';

/** A conversation as it is stored. */
export interface StoredConversation {
  readonly id: string;
  readonly title: string;
  readonly systemPrompt: string | null;
  readonly compaction: Compaction;
  /** The newest one on the active path. */
  readonly summary: StoredSummary | null;
  readonly leafMessageId: string | null;
  readonly tokensTotal: bigint;
  readonly costMicroUsd: MicroUsd;
  readonly unpricedAttempts: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What was said up to a message, in short. */
export interface StoredSummary {
  readonly text: string;
  readonly messageId: string;
  readonly model: string;
  readonly createdAt: Date;
}

/** A message as it is stored. */
export interface StoredMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly active: boolean;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly status: 'generating' | 'complete' | 'interrupted' | 'failed';
  readonly content: string;
  /** The calls of tools that an answer asks for, as the common tongue has them. */
  readonly toolCalls: unknown;
  /** The call that this is the result of. */
  readonly toolCallId: string | null;
  readonly model: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costMicroUsd: MicroUsd | null;
  readonly finishReason: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly warning: string | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
}

/** Which part of a list to read: `limit` entries behind the one with the id `after`. */
export interface Slice {
  readonly limit: number;
  readonly after: string | undefined;
}

const CONVERSATION = {
  id: true,
  title: true,
  systemPrompt: true,
  compaction: true,
  leafMessageId: true,
  tokensTotal: true,
  costMicroUsd: true,
  unpricedAttempts: true,
  createdAt: true,
  updatedAt: true,
} as const;

/** The columns of a message that its owner sees. */
export const MESSAGE = {
  id: true,
  parentId: true,
  active: true,
  role: true,
  status: true,
  content: true,
  toolCalls: true,
  toolCallId: true,
  model: true,
  inputTokens: true,
  outputTokens: true,
  costMicroUsd: true,
  finishReason: true,
  errorCode: true,
  errorMessage: true,
  warning: true,
  createdAt: true,
  completedAt: true,
} as const;

/** Conversations and their messages. Every method filters by the owner. */
@Injectable()
export class ConversationRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Newest first. Ids rise in time, so they are the order and the cursor both. */
  async list(userId: string, { limit, after }: Slice): Promise<StoredConversation[]> {
    const rows = await this.prisma.run((client) =>
      client.conversation.findMany({
        where: { userId, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: CONVERSATION,
      }),
    );
    return this.withSummaries(userId, rows);
  }

  async find(userId: string, id: string): Promise<StoredConversation | null> {
    const row = await this.prisma.run((client) =>
      client.conversation.findFirst({ where: { id, userId }, select: CONVERSATION }),
    );
    if (row === null) return null;
    const [conversation = null] = await this.withSummaries(userId, [row]);
    return conversation;
  }

  /** @returns whether there was one */
  async delete(userId: string, id: string): Promise<boolean> {
    const { count } = await this.prisma.run((client) =>
      client.conversation.deleteMany({ where: { id, userId } }),
    );
    return count === 1;
  }

  /** The place of a message in its conversation, or undefined where it is not there. */
  async position(userId: string, conversationId: string, messageId: string): Promise<number | undefined> {
    const message = await this.prisma.run((client) =>
      client.message.findFirst({
        where: { id: messageId, conversationId, userId },
        select: { position: true },
      }),
    );
    return message?.position;
  }

  /** Oldest first, behind a position: those of the active path, or all. */
  messages(options: {
    readonly userId: string;
    readonly conversationId: string;
    readonly branches: 'active' | 'all';
    readonly limit: number;
    readonly behind: number;
  }): Promise<StoredMessage[]> {
    const { userId, conversationId, branches, limit, behind } = options;
    return this.prisma.run((client) =>
      client.message.findMany({
        where: {
          conversationId,
          userId,
          position: { gt: behind },
          ...(branches === 'active' && { active: true }),
        },
        orderBy: { position: 'asc' },
        take: limit,
        select: MESSAGE,
      }),
    );
  }

  /** Each with its newest summary on the active path: the index is read from its end, to the first that is on it. */
  private async withSummaries(
    userId: string,
    rows: readonly Omit<StoredConversation, 'summary'>[],
  ): Promise<StoredConversation[]> {
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
