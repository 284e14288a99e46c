import { Injectable } from '@nestjs/common';
import { toStorableJson } from '../../../common/stored-text.js';
import { PrismaService } from '../../../infra/database/index.js';
import type { TokenUsage } from '../../../llm/index.js';
import { serializeUsage } from '../../usage/index.js';
import { TASK_KINDS, type TaskKind } from '../model/conversation-task.js';
import { serializeToolCalls, type ToolCall, toOpenAiToolCalls } from '../model/tool-calls.js';
import { INTERRUPTED_ERROR, LEASE_SECONDS, type TurnResult, totalCost, type Turn } from '../model/turn.js';
import type { StoredRetrieval } from '../model/answer-sources.js';
import type { OmittedPages } from '../model/omitted-pages.js';
import { tasksJson } from '../tasks/task.repository.js';

/** Outcome of storing the end of a turn. */
export interface EndedTurn {
  /** True if this process still held the lease on the answer. */
  readonly leaseHeld: boolean;
  readonly dueTasks: readonly TaskKind[];
}

/** Stores an answer while it is generated and when it ends. Each method is one statement. */
@Injectable()
export class GenerationRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores the text so far and renews the lease.
   * @returns `stop` if a stop was requested, `lost` if the answer is no longer ours: it was deleted, or a recovery
   *   sweep ended it
   */
  async storeCheckpoint(
    turn: Turn,
    progress: {
      readonly attempt: number;
      readonly text: string;
      readonly calls: readonly ToolCall[];
      readonly model: string;
      readonly inputTokens: number;
    },
  ): Promise<'ours' | 'stop' | 'lost'> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<{ stop: boolean }[]>`
        UPDATE messages
        SET content = ${progress.text}, tool_calls = ${serializeToolCalls(progress.calls)}::jsonb, model = ${progress.model}, attempt = ${progress.attempt},
          input_tokens = ${progress.inputTokens}, lease_until = now() + make_interval(secs => ${LEASE_SECONDS})
        WHERE id = ${turn.answerId}::uuid AND user_id = ${turn.spec.userId}::uuid
          AND lease_owner = ${turn.leaseOwner}::uuid AND status = 'generating'
        RETURNING stop_requested AS stop`,
    );
    const [row] = rows;
    if (row === undefined) return 'lost';
    return row.stop ? 'stop' : 'ours';
  }

  /** Stores the documents that are not sent to the model in full, if the answer is still ours. */
  async storeOmittedPages(turn: Turn, omitted: readonly OmittedPages[]): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE messages SET omitted_pages = ${toStorableJson(omitted)}::jsonb
        WHERE id = ${turn.answerId}::uuid AND lease_owner = ${turn.leaseOwner}::uuid AND status = 'generating'`,
    );
  }

  /** Stores the collections and the sources of the answer, if it is still ours. */
  async storeSources(turn: Turn, retrieval: StoredRetrieval): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE messages SET sources = ${toStorableJson(retrieval)}::jsonb
        WHERE id = ${turn.answerId}::uuid AND lease_owner = ${turn.leaseOwner}::uuid AND status = 'generating'`,
    );
  }

  /**
   * Ends the turn: stores the answer, its usage, the conversation's totals and the tasks that it makes due, all or
   * nothing. If the answer is no longer ours, only the usage is stored, because it was consumed anyway. Idempotent:
   * if the confirmation of a commit was lost, a retry finds the row by the lease's owner, which stays in it. A
   * single statement, of low priority, because a client that streams already has the text.
   * @returns whether the answer was ours, and the tasks that are due now
   */
  async finishTurn(turn: Turn, result: TurnResult): Promise<EndedTurn> {
    const { conversationId, answerId, leaseOwner } = turn;
    const { userId, apiKeyId } = turn.spec;
    const { outcome, attempts, dueTasks: tasks } = result;
    const [row] = await this.prisma.query<{ ours: boolean; due: string[] }>(
      'SELECT ours, due FROM finish_turn($1, $2, $3, $4, $5, $6, $7, $8)',
      [
        userId,
        conversationId,
        answerId,
        leaseOwner,
        outcome.text,
        toStorableJson(answerColumns(result)),
        serializeUsage({ callId: answerId, userId, apiKeyId, conversationId }, attempts),
        tasksJson(tasks),
      ],
      { priority: 'low' },
    );
    if (row === undefined) throw new Error('finish_turn returned no row.');
    return { leaseHeld: row.ours, dueTasks: TASK_KINDS.filter((kind) => row.due.includes(kind)) };
  }
}

/** Returns the columns of an ended answer except its text, under their database names. */
function answerColumns(result: TurnResult) {
  const { outcome, tokenCount: token_count, attempts, attempt, providerData: provider_data } = result;
  const { model, calls } = outcome;
  // Null clears tool calls that a checkpoint has stored but that are void by now.
  const tool_calls = calls.length === 0 ? null : toOpenAiToolCalls(calls);
  const common = { model, token_count, attempt, tool_calls, provider_data };
  if (!('error' in outcome)) {
    const { finishReason: finish_reason, usage, costMicroUsd, warning, cached, completedAt } = outcome;
    const status = outcome.status === 'stopped' ? 'interrupted' : outcome.status;
    const ended = { status, finish_reason, warning, cached, completed_at: completedAt };
    return { ...common, ...ended, ...usageColumns(usage), cost_micro_usd: numberText(costMicroUsd) };
  }
  const { status, error } = outcome;
  const { errorCode, errorMessage } =
    status === 'failed' ? { errorCode: error.code, errorMessage: error.message } : INTERRUPTED_ERROR;
  return {
    ...common,
    ...usageColumns(attempts.at(-1)?.usage),
    status,
    cached: false,
    cost_micro_usd: numberText(totalCost(attempts)),
    error_code: errorCode,
    error_message: errorMessage,
    completed_at: new Date(),
  };
}

function usageColumns(usage: TokenUsage | undefined) {
  return {
    input_tokens: usage?.inputTokens,
    output_tokens: usage?.outputTokens,
    cached_tokens: usage?.cachedTokens,
    cache_write_tokens: usage?.cacheWriteTokens,
    reasoning_tokens: usage?.reasoningTokens,
  };
}

/** Formats an integer that may be too large for a JSON number. */
function numberText(value: bigint | null): string | null {
  return value === null ? null : value.toString();
}
