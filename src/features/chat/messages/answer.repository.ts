import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import { MESSAGE } from './stored-message.js';
import { type StoredMessage } from './stored-message.js';

const ANSWER = {
  ...MESSAGE,
  conversationId: true,
  attempt: true,
  cachedTokens: true,
  cacheWriteTokens: true,
  reasoningTokens: true,
  cached: true,
} as const;

/** An answer as its row has it. */
export interface StoredAnswer extends StoredMessage {
  readonly conversationId: string;
  readonly attempt: number;
  readonly cachedTokens: number | null;
  readonly cacheWriteTokens: number | null;
  readonly reasoningTokens: number | null;
  readonly cached: boolean;
}

/** How far an answer is. */
export interface AnswerState {
  readonly generating: boolean;
  readonly attempt: number;
  /** Of the stored text and calls, in UTF-8. */
  readonly bytes: number;
}

/** Answers, for those who come for them later. Every method filters by the owner. */
@Injectable()
export class AnswerRepository {
  constructor(private readonly prisma: PrismaService) {}

  find(userId: string, id: string): Promise<StoredAnswer | null> {
    return this.prisma.run((client) =>
      client.message.findFirst({ where: { id, userId, role: 'assistant' }, select: ANSWER }),
    );
  }

  /** How far an answer is, without its text; null where it is gone. */
  async state(userId: string, id: string): Promise<AnswerState | null> {
    const [state] = await this.prisma.run(
      (client) => client.$queryRaw<AnswerState[]>`
        SELECT status = 'generating' AS generating, attempt, octet_length(content) + coalesce(octet_length(tool_calls::text), 0) AS bytes
        FROM messages WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND role = 'assistant'`,
    );
    return state ?? null;
  }

  /** Asks whoever generates the answer to stop; it finds the request with its next checkpoint. */
  async requestStop(userId: string, id: string): Promise<void> {
    await this.prisma.run((client) =>
      client.message.updateMany({
        where: { id, userId, status: 'generating' },
        data: { stopRequested: true },
      }),
    );
  }
}
