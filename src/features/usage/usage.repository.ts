import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { MicroUsd } from '../../common/money.js';
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

/** What a call's attempts come to. */
export interface UsageSum {
  readonly tokens: bigint;
  readonly costMicroUsd: MicroUsd;
}

/** One attempt and whom it is charged to. */
export interface UsageEntry {
  readonly owner: UsageOwner;
  readonly attempt: AttemptRecord;
}

/** The ledger of what models were asked and what it cost. */
@Injectable()
export class UsageRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Writes the attempts into the transaction of whoever owns the call. An attempt that is in the ledger already is
   * left as it is (unique on call and attempt), so committing twice bills once.
   * @returns the sum of what was new
   */
  async commit(
    transaction: Transaction,
    owner: UsageOwner,
    attempts: readonly AttemptRecord[],
  ): Promise<UsageSum> {
    const rows = await transaction.usageRecord.createManyAndReturn({
      skipDuplicates: true,
      select: { inputTokens: true, outputTokens: true, costMicroUsd: true },
      data: attempts.map((attempt) => toRow({ owner, attempt })),
    });
    return {
      tokens: rows.reduce((sum, row) => sum + BigInt(row.inputTokens + row.outputTokens), 0n),
      costMicroUsd: rows.reduce((sum, row) => sum + (row.costMicroUsd ?? 0n), 0n),
    };
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
        INSERT INTO usage_records (id, call_id, attempt, user_id, api_key_id, own_key, conversation_id, provider, model, outcome,
          input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated)
        SELECT entry.id, call_id, attempt, user_id, api_key_id, own_key, NULL, provider, model, outcome,
          input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_micro_usd, estimated
        FROM jsonb_to_recordset(${rows}::jsonb) AS entry (
          id uuid, call_id uuid, attempt int, user_id uuid, api_key_id uuid, own_key boolean, provider text, model text, outcome text,
          input_tokens int, output_tokens int, cached_tokens int, cache_write_tokens int, reasoning_tokens int, cost_micro_usd bigint, estimated boolean)
        JOIN users ON users.id = entry.user_id
        ON CONFLICT (call_id, attempt) DO NOTHING`,
    );
  }
}

function toJson({ owner, attempt: record }: UsageEntry) {
  const { attempt, provider, model, outcome, usage, costMicroUsd, estimated, ownKey = false } = record;
  return {
    id: newId(),
    call_id: owner.callId,
    user_id: owner.userId,
    api_key_id: owner.apiKeyId,
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

function toRow({ owner, attempt: record }: UsageEntry) {
  const { attempt, provider, model, outcome, usage, costMicroUsd, estimated, ownKey = false } = record;
  return {
    id: newId(),
    ...owner,
    attempt,
    provider,
    model,
    outcome,
    ...usage,
    costMicroUsd,
    estimated,
    ownKey,
  };
}
