import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import type { Chore } from '../model/conversation-task.js';

/** A question and its answer. */
export interface Exchange {
  readonly question: string;
  readonly answer: string;
}

@Injectable()
export class TitleRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns the exchange to find a title for; undefined if the conversation has one. */
  async untitled({ userId, conversationId, messageId }: Chore): Promise<Exchange | undefined> {
    const [exchange] = await this.prisma.run(
      (client) => client.$queryRaw<Exchange[]>`
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
