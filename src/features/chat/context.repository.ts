import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../infra/database/index.js';
import type { StoredMessage } from './conversation.repository.js';

/** A message of a path, as a model may be told it. */
export interface ContextMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: StoredMessage['role'];
  /** Empty where an answer failed before its first word. */
  readonly content: string;
  readonly tokenCount: number;
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
    return this.prisma.run(
      (client) => client.$queryRaw<ContextMessage[]>`
        WITH RECURSIVE path AS (
          SELECT id, conversation_id, parent_id, position, role, content, token_count, 1 AS length,
            token_count + ${TOKENS_PER_MESSAGE}::int AS tokens
          FROM messages
          WHERE id = ${messageId}::uuid AND user_id = ${userId}::uuid
          UNION ALL
          SELECT parent.id, parent.conversation_id, parent.parent_id, parent.position, parent.role, parent.content, parent.token_count,
            path.length + 1, path.tokens + parent.token_count + ${TOKENS_PER_MESSAGE}::int
          FROM path
          JOIN messages parent ON parent.conversation_id = path.conversation_id AND parent.id = path.parent_id
          WHERE path.length < ${maxMessages}::int AND parent.position > ${behind}::int
            AND path.tokens + parent.token_count + ${TOKENS_PER_MESSAGE}::int <= ${maxTokens}::int
        )
        SELECT id, parent_id AS "parentId", role::text, content, token_count AS "tokenCount" FROM path ORDER BY position`,
    );
  }
}
