import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { MicroUsd } from '../../common/money.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
import type { AttemptRecord } from '../../llm/index.js';

/** The account and context that the attempts of a call are charged to. */
export interface UsageOwner {
  readonly callId: string;
  readonly userId: string;
  /** The key of the request; null for a logged-in session. */
  readonly apiKeyId: string | null;
  /** Null if the conversation was deleted; its usage stays. */
  readonly conversationId: string | null;
}

/** Total of a call's attempts, or the change of that total. */
export interface UsageSum {
  readonly tokens: bigint;
  /** Cost of the attempts whose price is known. */
  readonly costMicroUsd: MicroUsd;
  /** Number of attempts whose price is unknown. */
  readonly unpricedAttempts: number;
}

/** Usage of one model on one day in UTC, and of one key if grouped by key. */
export interface DailyUsage {
  /** For example `2026-11-21`. */
  readonly day: string;
  readonly provider: string;
  readonly model: string;
  /** Null for a logged-in session, for an answer that was broken off by a restart, and if not grouped by key. */
  readonly apiKeyId: string | null;
  readonly calls: bigint;
  readonly attempts: bigint;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cachedTokens: bigint;
  readonly cacheWriteTokens: bigint;
  readonly reasoningTokens: bigint;
  /** Null if no attempt has a known price. */
  readonly costMicroUsd: MicroUsd | null;
  readonly unpricedAttempts: bigint;
  readonly estimatedAttempts: bigint;
}

/** Whole days in UTC, inclusive: `2026-11-21`. */
export interface Days {
  readonly from: string;
  readonly to: string;
}

/** An attempt, and the account that it is charged to. */
export interface UsageEntry {
  readonly owner: UsageOwner;
  readonly attempt: AttemptRecord;
}

/** Columns of an inserted record; the database sets the time. */
const COLUMNS = `id, call_id, attempt, user_id, api_key_id, own_key, conversation_id, provider, model, outcome,
  input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated`;

/** The same columns with their types, for reading JSON. */
const COLUMN_TYPES = `id uuid, call_id uuid, attempt int, user_id uuid, api_key_id uuid, own_key boolean,
  conversation_id uuid, provider text, model text, outcome text, input_tokens int, output_tokens int, cached_tokens int,
  cache_write_tokens int, reasoning_tokens int, cost_micro_usd bigint, estimated boolean`;

/** Inserts the records of a JSON list, except those that are known already or of a deleted account. */
const INSERT = `
  INSERT INTO usage_records (${COLUMNS})
  SELECT ${COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS entry (${COLUMN_TYPES})
  WHERE EXISTS (SELECT 1 FROM users WHERE users.id = entry.user_id)
  ON CONFLICT (call_id, attempt) DO NOTHING`;

/** The ledger of model calls and their cost. */
@Injectable()
export class UsageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores the attempts of a call within the caller's transaction; committing twice bills once (see `commit_usage`
   * in the migrations). The transaction holds the lock of the conversation, if there is one.
   * @returns the change of the ledger, which is negative if a previous estimate was too high
   */
  async commit(
    transaction: Transaction,
    owner: UsageOwner,
    attempts: readonly AttemptRecord[],
  ): Promise<UsageSum> {
    const [sum] = await transaction.$queryRaw<UsageSum[]>`
      SELECT tokens, cost_micro_usd AS "costMicroUsd", unpriced_attempts AS "unpricedAttempts"
      FROM commit_usage(${owner.callId}::uuid, ${serializeUsage(owner, attempts)}::jsonb)`;
    return sum ?? { tokens: 0n, costMicroUsd: 0n, unpricedAttempts: 0 };
  }

  /**
   * Stores attempts without a row of their own, in one statement with one parameter, and without Prisma's engine, which
   * copies that parameter several times. Attempts already in the ledger are left unchanged, and those of a deleted
   * account are skipped.
   * @throws DatabaseUnavailableError if the database is unavailable
   */
  async insert(entries: readonly UsageEntry[]): Promise<void> {
    await this.prisma.query(INSERT, [JSON.stringify(entries.map(toUsageRow))]);
  }

  /**
   * Returns the usage that counts towards an account's quotas: tokens since one day, cost since another, both days
   * in UTC, `2026-11-21`. Excludes calls with the account's own provider keys.
   */
  async quotaUsageSince(
    userId: string,
    { day, month }: { readonly day: string; readonly month: string },
  ): Promise<{ readonly tokensDay: number; readonly costMonth: number }> {
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<{ tokens: bigint; cost: bigint }[]>`
        SELECT
          coalesce(sum(input_tokens + output_tokens)
            FILTER (WHERE created_at >= ${day}::date::timestamp AT TIME ZONE 'UTC'), 0)::bigint AS tokens,
          coalesce(sum(cost_micro_usd), 0)::bigint AS cost
        FROM usage_records
        WHERE user_id = ${userId}::uuid AND NOT own_key
          AND created_at >= ${month}::date::timestamp AT TIME ZONE 'UTC'`,
    );
    return { tokensDay: Number(row?.tokens ?? 0n), costMonth: Number(row?.cost ?? 0n) };
  }

  /** Returns an account's usage by day and model, and by key if requested; newest day first. */
  summarize(userId: string, { from, to }: Days, byKey: boolean): Promise<DailyUsage[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<DailyUsage[]>`
        SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, provider, model,
          CASE WHEN ${byKey}::boolean THEN api_key_id END AS "apiKeyId",
          count(DISTINCT call_id) AS calls, count(*) AS attempts,
          sum(input_tokens) AS "inputTokens", sum(output_tokens) AS "outputTokens",
          sum(cached_tokens) AS "cachedTokens", sum(cache_write_tokens) AS "cacheWriteTokens",
          sum(reasoning_tokens) AS "reasoningTokens", sum(cost_micro_usd)::bigint AS "costMicroUsd",
          count(*) FILTER (WHERE cost_micro_usd IS NULL) AS "unpricedAttempts",
          count(*) FILTER (WHERE estimated) AS "estimatedAttempts"
        FROM usage_records
        WHERE user_id = ${userId}::uuid
          AND created_at >= ${from}::date::timestamp AT TIME ZONE 'UTC'
          AND created_at < (${to}::date + 1)::timestamp AT TIME ZONE 'UTC'
        GROUP BY 1, 2, 3, 4
        ORDER BY 1 DESC, 2, 3, 4`,
    );
  }
}

/** Serializes the attempts of a call for `commit_usage` and `finish_turn`. */
export function serializeUsage(owner: UsageOwner, attempts: readonly AttemptRecord[]): string {
  return JSON.stringify(attempts.map((attempt) => toUsageRow({ owner, attempt })));
}

/** Converts a record to the JSON that `COLUMN_TYPES` describes. */
export function toUsageRow({ owner, attempt: record }: UsageEntry) {
  const { attempt, provider, model, outcome, usage, costMicroUsd, estimated, ownKey = false } = record;
  return {
    id: newId(),
    call_id: owner.callId,
    user_id: owner.userId,
    api_key_id: owner.apiKeyId,
    conversation_id: owner.conversationId,
    own_key: ownKey,
    attempt,
    provider,
    model,
    outcome,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cached_tokens: usage.cachedTokens,
    cache_write_tokens: usage.cacheWriteTokens,
    reasoning_tokens: usage.reasoningTokens,
    cost_micro_usd: costMicroUsd === null ? null : String(costMicroUsd),
    estimated,
  };
}
