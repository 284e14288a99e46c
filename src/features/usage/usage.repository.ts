import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import type { MicroUsd } from '../../common/money.js';
import { PrismaService, type Transaction } from '../../infra/database/index.js';
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

  /** Writes attempts that no row owns. Those that are in the ledger already are left as they are. */
  async insert(entries: readonly UsageEntry[]): Promise<void> {
    await this.prisma.run((client) =>
      client.usageRecord.createMany({ skipDuplicates: true, data: entries.map(toRow) }),
    );
  }
}

function toRow({ owner, attempt: record }: UsageEntry) {
  const { attempt, provider, model, outcome, usage, costMicroUsd, estimated } = record;
  return { id: newId(), ...owner, attempt, provider, model, outcome, ...usage, costMicroUsd, estimated };
}
