import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import type { ConversationTask } from '../model/conversation-task.js';

/** A question and its answer. */
export interface FirstExchange {
  readonly question: string;
  readonly answer: string;
}

@Injectable()
export class TitleRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns the exchange to find a title for; undefined if the conversation has one. */
  async findUntitledExchange({
    userId,
    conversationId,
    messageId,
  }: ConversationTask): Promise<FirstExchange | undefined> {
    const [exchange] = await this.prisma.run(
      (client) => client.$queryRaw<FirstExchange[]>`
        SELECT question.content AS question, answer.content AS answer
        FROM conversations
        JOIN messages answer ON answer.conversation_id = conversations.id AND answer.id = ${messageId}::uuid
        JOIN messages question ON question.conversation_id = conversations.id AND question.id = answer.parent_id
        WHERE conversations.id = ${conversationId}::uuid AND conversations.user_id = ${userId}::uuid
          AND titled_by = 'question'`,
    );
    return exchange;
  }
}
