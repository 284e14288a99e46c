import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';

/** A message as a model is told it. */
export interface ContextMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: 'user' | 'assistant' | 'tool';
  /** Empty where an answer failed before its first word, or only calls tools. */
  readonly content: string;
  /** As the row has them. */
  readonly toolCalls: unknown;
  readonly toolCallId: string | null;
  readonly providerData: unknown;
  readonly tokenCount: number;
  /** Whether it was sent with files. */
  readonly hasFiles: boolean;
}

/** Tokens that the framing of one message takes, beside its text. */
export const TOKENS_PER_MESSAGE = 4;

@Injectable()
export class ContextRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * The end of the path that leads to a message, oldest first: followed from that message to its parents until the
   * limits are reached, so that it costs the same in a conversation of 10 messages and of 10,000. The last message is
   * always there, whatever its size.
   * @param options.behind the position that the path is followed to; -1 follows it to its beginning
   */
  path(options: {
    readonly userId: string;
    readonly messageId: string;
    readonly behind: number;
    readonly maxTokens: number;
    readonly maxMessages: number;
  }): Promise<ContextMessage[]> {
    const { userId, messageId, behind, maxTokens, maxMessages } = options;
    return this.prisma.query<ContextMessage>(
      `SELECT id, parent_id AS "parentId", role, content, tool_calls AS "toolCalls", tool_call_id AS "toolCallId",
         provider_data AS "providerData", token_count AS "tokenCount", has_files AS "hasFiles"
       FROM context_path($1, $2, $3, $4, $5, $6)`,
      [userId, messageId, behind, maxTokens, maxMessages, TOKENS_PER_MESSAGE],
    );
  }
}
