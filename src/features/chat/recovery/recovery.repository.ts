import { Injectable } from '@nestjs/common';
import type { AttemptRecord } from '../../../llm/index.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import { UsageRepository } from '../../usage/index.js';
import { addToTotals, lockConversation } from '../messages/conversation-totals.repository.js';
import { INTERRUPTED_ERROR, STOPPED_FINISH_REASON } from '../model/turn.js';
import type { ToolCall } from '../model/tool-calls.js';
import { serializeToolCalls } from '../model/tool-calls.js';

/** An answer whose generating process is gone. */
export interface AbandonedAnswer {
  readonly id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly attempt: number;
  readonly content: string;
  readonly toolCalls: unknown;
  readonly model: string | null;
  readonly inputTokens: number | null;
  /** Time since its lease expired, in seconds. */
  readonly expiredForSeconds: number;
}

/** The content with which an abandoned answer ends. */
export interface FinalContent {
  readonly attempt: number;
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly tokenCount: number;
}

/** Selects abandoned answers: those whose lease has expired, or all if no other process can hold a lease. */
export type AbandonedSelection = 'expired' | 'all';

@Injectable()
export class RecoveryRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly usage: UsageRepository,
  ) {}

  /**
   * Returns a page of abandoned answers, ordered by id.
   * @param options.except ids of answers that are not abandoned
   * @param options.after the last id of the previous page
   */
  listAbandonedAnswers(
    which: AbandonedSelection,
    {
      except,
      after,
      limit,
    }: { readonly except: readonly string[]; readonly after: string | undefined; readonly limit: number },
  ): Promise<AbandonedAnswer[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<AbandonedAnswer[]>`
        SELECT id, user_id AS "userId", conversation_id AS "conversationId", attempt, content, tool_calls AS "toolCalls", model, input_tokens AS "inputTokens",
          coalesce(extract(epoch FROM now() - lease_until), 0)::float8 AS "expiredForSeconds"
        FROM messages
        WHERE status = 'generating' AND (${which} = 'all' OR lease_until < now()) AND NOT (id = ANY(${except}::uuid[]))
          AND (${after ?? null}::uuid IS NULL OR id > ${after ?? null}::uuid)
        ORDER BY id LIMIT ${limit}`,
    );
  }

  /**
   * Marks an abandoned answer as interrupted and records its estimated usage. Does nothing if another process
   * already did, or if the owner is alive after all and has renewed the lease: the condition is checked again under
   * the lock.
   */
  async interruptAnswer(
    answer: AbandonedAnswer,
    which: AbandonedSelection,
    used: AttemptRecord,
    last: FinalContent,
  ): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      if (!(await lockConversation(transaction, answer.conversationId))) return false;
      if (!(await markInterrupted(transaction, answer, which, used, last))) return false;
      const { id: callId, userId, conversationId } = answer;
      const sum = await this.usage.commit(
        transaction,
        // The API key of the request was known only to the process that is gone.
        { callId, userId, apiKeyId: null, conversationId },
        [used],
      );
      await addToTotals(transaction, conversationId, sum);
      return true;
    });
  }
}

async function markInterrupted(
  transaction: Transaction,
  answer: AbandonedAnswer,
  which: AbandonedSelection,
  used: AttemptRecord,
  { attempt, text, calls, tokenCount }: FinalContent,
): Promise<boolean> {
  const { inputTokens, outputTokens } = used.usage;
  const updated = await transaction.$executeRaw`
    UPDATE messages
    SET status = 'interrupted',
      finish_reason = CASE WHEN stop_requested THEN ${STOPPED_FINISH_REASON} END,
      error_code = CASE WHEN stop_requested THEN NULL ELSE ${INTERRUPTED_ERROR.errorCode} END,
      error_message = CASE WHEN stop_requested THEN NULL ELSE ${INTERRUPTED_ERROR.errorMessage} END,
      attempt = ${attempt}, model = ${answer.model}, content = ${text}, tool_calls = ${serializeToolCalls(calls)}::jsonb, token_count = ${tokenCount}, input_tokens = ${inputTokens}, output_tokens = ${outputTokens},
      cost_micro_usd = ${used.costMicroUsd}, lease_owner = NULL, lease_until = NULL, completed_at = now()
    WHERE id = ${answer.id}::uuid AND status = 'generating' AND (${which} = 'all' OR lease_until < now())`;
  return updated === 1;
}
