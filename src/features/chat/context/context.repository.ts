import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';

/** A message of the context of a turn. */
export interface ContextMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: 'user' | 'assistant' | 'tool';
  /** Empty if an answer failed before its first text, or if it only calls tools. */
  readonly content: string;
  /** Tool calls as stored in the row. */
  readonly toolCalls: unknown;
  readonly toolCallId: string | null;
  readonly providerData: unknown;
  readonly tokenCount: number;
  /** True if it was sent with attachments. */
  readonly hasFiles: boolean;
}

/** Tokens for the framing of one message, in addition to its text. */
export const TOKENS_PER_MESSAGE = 4;

@Injectable()
export class ContextRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Returns the end of the path to a message, oldest first. Follows parents from that message until the limits are
   * reached, so that the cost is the same for a conversation of 10 messages as for one of 10,000. The last message
   * is always included, whatever its size.
   * @param options.behind the position after which the path starts; -1 for the beginning of the conversation
   */
  readContextPath(options: {
    readonly userId: string;
    readonly messageId: string;
    readonly afterPosition: number;
    readonly maxTokens: number;
    readonly maxMessages: number;
  }): Promise<ContextMessage[]> {
    const { userId, messageId, afterPosition, maxTokens, maxMessages } = options;
    return this.prisma.query<ContextMessage>(
      `SELECT id, parent_id AS "parentId", role, content, tool_calls AS "toolCalls", tool_call_id AS "toolCallId",
         provider_data AS "providerData", token_count AS "tokenCount", has_files AS "hasFiles"
       FROM context_path($1, $2, $3, $4, $5, $6)`,
      [userId, messageId, afterPosition, maxTokens, maxMessages, TOKENS_PER_MESSAGE],
    );
  }
}
