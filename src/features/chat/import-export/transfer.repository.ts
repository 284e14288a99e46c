import { Injectable } from '@nestjs/common';
import { AppError } from '../../../common/errors.js';
import { PrismaService } from '../../../infra/database/index.js';

/** A conversation to be exported, without its messages. */
export interface ExportedConversation {
  readonly id: string;
  readonly title: string;
  readonly systemPrompt: string | null;
  readonly archived: boolean;
  readonly pinned: boolean;
  readonly nextPosition: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A message with everything that an export includes. */
export interface ExportedMessage extends ImportedMessage {
  readonly position: number;
}

/** A message with everything that an import stores. */
export interface ImportedMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly status: 'generating' | 'complete' | 'interrupted' | 'failed';
  readonly content: string;
  readonly model: string | null;
  readonly finishReason: string | null;
  readonly toolCalls: unknown;
  readonly toolCallId: string | null;
  readonly attachments: readonly { readonly name: string; readonly mediaType: string }[];
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly warning: string | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
}

/** A conversation to be stored, with its messages in the order of their positions. */
export interface ImportedConversation {
  readonly id: string;
  readonly userId: string;
  readonly title: string;
  readonly systemPrompt: string | null;
  readonly archived: boolean;
  readonly pinned: boolean;
  readonly leafMessageId: string;
  readonly messages: readonly (ImportedMessage & { readonly active: boolean; readonly tokenCount: number })[];
}

/**
 * Maximum number of messages, and of characters of their texts, in one statement; a single message may exceed the
 * latter. Indexing the words takes the database longer than storing the texts, and a statement has a few seconds.
 */
const BATCH_MESSAGES = 200;
const BATCH_CHARACTERS = 100_000;

/** Timeout of an import's transaction, in milliseconds. Ten thousand long messages take a few seconds. */
const IMPORT_TIMEOUT_MS = 120_000;

const CONVERSATION = {
  id: true,
  title: true,
  systemPrompt: true,
  archived: true,
  pinned: true,
  nextPosition: true,
  createdAt: true,
  updatedAt: true,
} as const;

const MESSAGE = {
  id: true,
  parentId: true,
  position: true,
  role: true,
  status: true,
  content: true,
  model: true,
  finishReason: true,
  toolCalls: true,
  toolCallId: true,
  attachments: { select: { name: true, mediaType: true }, orderBy: { ordinal: 'asc' } },
  errorCode: true,
  errorMessage: true,
  warning: true,
  createdAt: true,
  completedAt: true,
} as const;

/** Reads and stores whole conversations. Every method filters by owner. */
@Injectable()
export class TransferRepository {
  constructor(private readonly prisma: PrismaService) {}

  findConversation(userId: string, id: string): Promise<ExportedConversation | null> {
    return this.prisma.run((client) =>
      client.conversation.findFirst({ where: { id, userId }, select: CONVERSATION }),
    );
  }

  /** Returns the ids of the active path from its beginning to its end, as of one moment. */
  async activePath(userId: string, conversationId: string): Promise<string[]> {
    const path = await this.prisma.run((client) =>
      client.message.findMany({
        where: { conversationId, userId, active: true },
        orderBy: { position: 'asc' },
        select: { id: true },
      }),
    );
    return path.map(({ id }) => id);
  }

  /** Returns messages from a position up to but excluding another one, at most `limit`. */
  readMessagePage(
    userId: string,
    conversationId: string,
    range: { readonly from: number; readonly before: number; readonly limit: number },
  ): Promise<ExportedMessage[]> {
    const { from, before, limit } = range;
    return this.prisma.run((client) =>
      client.message.findMany({
        where: { conversationId, userId, position: { gte: from, lt: before } },
        orderBy: { position: 'asc' },
        take: limit,
        select: MESSAGE,
      }),
    );
  }

  /** Returns the messages with these ids, ordered by position. */
  readMessagesById(
    userId: string,
    conversationId: string,
    ids: readonly string[],
  ): Promise<ExportedMessage[]> {
    return this.prisma.run((client) =>
      client.message.findMany({
        where: { conversationId, userId, id: { in: [...ids] } },
        orderBy: { position: 'asc' },
        select: MESSAGE,
      }),
    );
  }

  /**
   * Stores a conversation, all or nothing. It has no usage: totals and ledger stay empty.
   * @throws AppError `request_cancelled` if the signal aborts before the end
   */
  async insertConversation(conversation: ImportedConversation, signal: AbortSignal): Promise<void> {
    const { id, userId, title, systemPrompt, archived, pinned, leafMessageId, messages } = conversation;
    await this.prisma.transaction(async (transaction) => {
      await transaction.conversation.create({
        data: {
          id,
          userId,
          title,
          // The importing user has seen the title, so no model replaces it.
          titledBy: 'user',
          systemPrompt,
          archived,
          pinned,
          nextPosition: messages.length,
        },
        select: { id: true },
      });
      for (const batch of batchesOf(messages)) {
        if (signal.aborted) throw new AppError('request_cancelled', 'The request was cancelled.');
        await transaction.message.createMany({
          data: batch.messages.map(({ attachments, toolCalls, ...message }, index) => ({
            ...message,
            conversationId: id,
            userId,
            position: batch.position + index,
            ...(isJson(toolCalls) && { toolCalls }),
          })),
        });
        const attachments = batch.messages.flatMap((message) =>
          message.attachments.map((attachment, ordinal) => ({
            ...attachment,
            messageId: message.id,
            ordinal,
            userId,
          })),
        );
        if (attachments.length > 0) await transaction.attachment.createMany({ data: attachments });
      }
      await transaction.conversation.update({
        where: { id },
        data: { leafMessageId },
        select: { id: true },
      });
    }, IMPORT_TIMEOUT_MS);
  }
}

/** Returns true if the value came as JSON; null is not a JSON value here, but an empty column. */
function isJson(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function batchesOf(messages: ImportedConversation['messages']) {
  const batches: {
    position: number;
    characters: number;
    messages: ImportedConversation['messages'][number][];
  }[] = [];
  for (const [position, message] of messages.entries()) {
    const last = batches.at(-1);
    const { length } = message.content;
    if (
      last !== undefined &&
      last.messages.length < BATCH_MESSAGES &&
      last.characters + length <= BATCH_CHARACTERS
    ) {
      last.messages.push(message);
      last.characters += length;
    } else {
      batches.push({ position, characters: length, messages: [message] });
    }
  }
  return batches;
}
