import { Injectable } from '@nestjs/common';
import type { MicroUsd } from '../../common/money.js';
import { PrismaService } from '../../infra/database/index.js';

/** A conversation as it is stored. */
export interface StoredConversation {
  readonly id: string;
  readonly title: string;
  readonly systemPrompt: string | null;
  readonly leafMessageId: string | null;
  readonly tokensTotal: bigint;
  readonly costMicroUsd: MicroUsd;
  readonly unpricedAttempts: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
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
  list(userId: string, { limit, after }: Slice): Promise<StoredConversation[]> {
    return this.prisma.run((client) =>
      client.conversation.findMany({
        where: { userId, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: CONVERSATION,
      }),
    );
  }

  find(userId: string, id: string): Promise<StoredConversation | null> {
    return this.prisma.run((client) =>
      client.conversation.findFirst({ where: { id, userId }, select: CONVERSATION }),
    );
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
}
