import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import { MESSAGE_COLUMNS } from './stored-message.js';
import { type StoredMessage } from './stored-message.js';

const ANSWER = {
  ...MESSAGE_COLUMNS,
  conversationId: true,
  attempt: true,
  cachedTokens: true,
  cacheWriteTokens: true,
  reasoningTokens: true,
  cached: true,
} as const;

/** An answer as stored in its row. */
export interface StoredAnswer extends StoredMessage {
  readonly conversationId: string;
  readonly attempt: number;
  readonly cachedTokens: number | null;
  readonly cacheWriteTokens: number | null;
  readonly reasoningTokens: number | null;
  readonly cached: boolean;
}

/** Progress of an answer. */
export interface AnswerState {
  readonly generating: boolean;
  readonly attempt: number;
  /** Size of the stored text and calls, in bytes of UTF-8. */
  readonly bytes: number;
}

/** Reads stored answers. Every method filters by owner. */
@Injectable()
export class AnswerRepository {
  constructor(private readonly prisma: PrismaService) {}

  findAnswer(userId: string, id: string): Promise<StoredAnswer | null> {
    return this.prisma.run((client) =>
      client.message.findFirst({ where: { id, userId, role: 'assistant' }, select: ANSWER }),
    );
  }

  /** Returns the progress of an answer, without its text; null if it no longer exists. */
  async findAnswerState(userId: string, id: string): Promise<AnswerState | null> {
    const [state] = await this.prisma.run(
      (client) => client.$queryRaw<AnswerState[]>`
        SELECT status = 'generating' AS generating, attempt, octet_length(content) + coalesce(octet_length(tool_calls::text), 0) AS bytes
        FROM messages WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND role = 'assistant'`,
    );
    return state ?? null;
  }

  /** Requests a stop from the process that generates the answer; it sees the request at its next checkpoint. */
  async requestStop(userId: string, id: string): Promise<void> {
    await this.prisma.run((client) =>
      client.message.updateMany({
        where: { id, userId, status: 'generating' },
        data: { stopRequested: true },
      }),
    );
  }
}
