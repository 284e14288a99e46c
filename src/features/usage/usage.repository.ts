import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { MicroUsd } from '../../common/money.js';
import { Prisma } from '../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
import type { AttemptRecord } from '../../llm/index.js';

/** Whom the attempts of a call are charged to. */
export interface UsageOwner {
  readonly callId: string;
  readonly userId: string;
  /** The key that asked; null where the account was logged in. */
  readonly apiKeyId: string | null;
  /** Null where the conversation is gone; the usage stays. */
  readonly conversationId: string | null;
}

/** What a call's attempts come to, or by how much that changes. */
export interface UsageSum {
  readonly tokens: bigint;
  /** Of the attempts whose price is known. */
  readonly costMicroUsd: MicroUsd;
  /** Attempts whose price is not. */
  readonly unpricedAttempts: number;
}

/** What was used of one model on one day, in UTC, and with one key where keys are told apart. */
export interface UsageOfDay {
  /** `2026-11-21` */
  readonly day: string;
  readonly provider: string;
  readonly model: string;
  /** Null where the account was logged in, where a restart broke the answer off, and where keys are not told apart. */
  readonly apiKeyId: string | null;
  readonly calls: bigint;
  readonly attempts: bigint;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cachedTokens: bigint;
  readonly cacheWriteTokens: bigint;
  readonly reasoningTokens: bigint;
  /** Null where no attempt has a known price. */
  readonly costMicroUsd: MicroUsd | null;
  readonly unpricedAttempts: bigint;
  readonly estimatedAttempts: bigint;
}

/** Whole days in UTC, both included: `2026-11-21`. */
export interface Days {
  readonly from: string;
  readonly to: string;
}

/** One attempt and whom it is charged to. */
export interface UsageEntry {
  readonly owner: UsageOwner;
  readonly attempt: AttemptRecord;
}

/** What a record is written with; when it was written the database knows. */
const COLUMNS = Prisma.sql`id, call_id, attempt, user_id, api_key_id, own_key, conversation_id, provider, model, outcome,
  input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated`;

/** The same as they come in JSON. */
const COLUMN_TYPES = Prisma.sql`id uuid, call_id uuid, attempt int, user_id uuid, api_key_id uuid, own_key boolean,
  conversation_id uuid, provider text, model text, outcome text, input_tokens int, output_tokens int, cached_tokens int,
  cache_write_tokens int, reasoning_tokens int, cost_micro_usd bigint, estimated boolean`;

/** The ledger of what models were asked and what it cost. */
@Injectable()
export class UsageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Writes the attempts of a call within the caller's transaction; committing twice bills once (see `commit_usage` in the
   * migrations). The transaction holds the lock of the conversation, if there is one.
   * @returns by how much the ledger has grown, which an estimate that was too high makes negative
   */
  async commit(
    transaction: Transaction,
    owner: UsageOwner,
    attempts: readonly AttemptRecord[],
  ): Promise<UsageSum> {
    const [sum] = await transaction.$queryRaw<UsageSum[]>`
      SELECT tokens, cost_micro_usd AS "costMicroUsd", unpriced_attempts AS "unpricedAttempts"
      FROM commit_usage(${owner.callId}::uuid, ${usageJson(owner, attempts)}::jsonb)`;
    return sum ?? { tokens: 0n, costMicroUsd: 0n, unpricedAttempts: 0 };
  }

  /**
   * Writes attempts that no row owns, in one statement with one parameter: Prisma's own insert takes a parameter a
   * column and row, which costs more than everything else about a short call. Those that are in the ledger already
   * are left as they are, and those of an account that is gone are left out.
   */
  async insert(entries: readonly UsageEntry[]): Promise<void> {
    const rows = JSON.stringify(entries.map(toJson));
    await this.prisma.run(
      (client) => client.$executeRaw`
        INSERT INTO usage_records (${COLUMNS})
        SELECT ${COLUMNS} FROM jsonb_to_recordset(${rows}::jsonb) AS entry (${COLUMN_TYPES})
        WHERE EXISTS (SELECT 1 FROM users WHERE users.id = entry.user_id)
        ON CONFLICT (call_id, attempt) DO NOTHING`,
    );
  }

  /**
   * What an account used of its quotas: tokens since a day, cost since another, both days in UTC, `2026-11-21`. What it
   * asked with its own keys is its own affair.
   */
  async spentSince(
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

  /** What an account used, by day and model, and by key where that is asked for; newest day first. */
  summarize(userId: string, { from, to }: Days, byKey: boolean): Promise<UsageOfDay[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<UsageOfDay[]>`
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

/** Returns the attempts of a call as `commit_usage` and `finish_turn` take them. */
export function usageJson(owner: UsageOwner, attempts: readonly AttemptRecord[]): string {
  return JSON.stringify(attempts.map((attempt) => toJson({ owner, attempt })));
}

/** A record as `COLUMN_TYPES` reads it. */
function toJson({ owner, attempt: record }: UsageEntry) {
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
