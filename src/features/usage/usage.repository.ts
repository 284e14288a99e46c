import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { MicroUsd } from '../../common/money.js';
import type { Transaction } from '../../infra/database/index.js';
import type { AttemptRecord } from '../../llm/index.js';

/** Whom the attempts of a call are charged to. */
export interface UsageOwner {
  readonly callId: string;
  readonly userId: string;
  /** Null where the conversation is gone; the usage stays. */
  readonly conversationId: string | null;
}

/** What a call's attempts come to. */
export interface UsageSum {
  readonly tokens: bigint;
  readonly costMicroUsd: MicroUsd;
}

/** The ledger of what models were asked and what it cost. */
@Injectable()
export class UsageRepository {
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
      data: attempts.map(({ attempt, provider, model, outcome, usage, costMicroUsd, estimated }) => ({
        id: newId(),
        ...owner,
        attempt,
        provider,
        model,
        outcome,
        ...usage,
        costMicroUsd,
        estimated,
      })),
    });
    return {
      tokens: rows.reduce((sum, row) => sum + BigInt(row.inputTokens + row.outputTokens), 0n),
      costMicroUsd: rows.reduce((sum, row) => sum + (row.costMicroUsd ?? 0n), 0n),
    };
  }
}
