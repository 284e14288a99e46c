import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import type { ConversationTask } from '../model/conversation-task.js';
import type { StoredMessage } from '../messages/stored-message.js';

/** A summary on a path. */
export interface PathSummary {
  readonly messageId: string;
  /** Position of that message. */
  readonly position: number;
  readonly text: string;
}

/** A message that a summary is to cover. */
export interface SummarizedMessage {
  readonly id: string;
  readonly role: StoredMessage['role'];
  readonly content: string;
  readonly tokenCount: number;
}

/** Maximum number of messages read for one step. More are summarized in further steps. */
const STEP_MESSAGES = 500;

/** Summaries of conversations. Every method filters by owner. */
@Injectable()
export class SummaryRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Returns the newest summary that covers only messages of the active path before a given message of that path.
   * Message ids increase over time, so the index is read from its end, and only to the first entry on the path.
   */
  async findNewestSummary(options: {
    readonly userId: string;
    readonly conversationId: string;
    readonly messageId: string;
  }): Promise<PathSummary | undefined> {
    const { userId, conversationId, messageId } = options;
    const [summary] = await this.prisma.run(
      (client) => client.$queryRaw<PathSummary[]>`
        SELECT covered.id AS "messageId", covered.position, summaries.text
        FROM summaries
        JOIN messages covered ON covered.conversation_id = summaries.conversation_id AND covered.id = summaries.message_id
        WHERE summaries.conversation_id = ${conversationId}::uuid AND summaries.user_id = ${userId}::uuid
          -- Positions rise along a path, so what is active before one of its messages leads to it.
          AND covered.active
          AND covered.position < (SELECT position FROM messages WHERE id = ${messageId}::uuid AND active)
        ORDER BY summaries.message_id DESC
        LIMIT 1`,
    );
    return summary;
  }

  /**
   * Returns the messages of the active path after a position, up to and including the task's message, oldest first,
   * and at most as many as fit into one step. Empty if that message is no longer on the active path. A single
   * statement, so that it sees one snapshot of the tree.
   */
  listMessagesToSummarize(
    { userId, conversationId, messageId }: ConversationTask,
    afterPosition: number,
  ): Promise<SummarizedMessage[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<SummarizedMessage[]>`
        SELECT id, role::text, content, token_count AS "tokenCount"
        FROM messages
        WHERE conversation_id = ${conversationId}::uuid AND user_id = ${userId}::uuid AND active AND position > ${afterPosition}
          AND position <= (SELECT position FROM messages
            WHERE conversation_id = ${conversationId}::uuid AND id = ${messageId}::uuid AND active)
        ORDER BY position
        LIMIT ${STEP_MESSAGES}`,
    );
  }

  /** Returns the model that gave the last complete answer on the active path. */
  async lastModel({ userId, conversationId }: ConversationTask): Promise<string | undefined> {
    const answer = await this.prisma.run((client) =>
      client.message.findFirst({
        where: { conversationId, userId, active: true, role: 'assistant', status: 'complete' },
        orderBy: { position: 'desc' },
        select: { model: true },
      }),
    );
    return answer?.model ?? undefined;
  }
}
