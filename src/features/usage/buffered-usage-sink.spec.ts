import { describe, expect, it } from '@jest/globals';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { PrismaService } from '../../infra/database/index.js';
import type { AttemptRecord } from '../../llm/index.js';
import { BufferedUsageSink } from './buffered-usage-sink.js';
import { type UsageEntry, UsageRepository } from './usage.repository.js';

/** An in-memory ledger that rejects given records. Never connected: Prisma connects with the first query. */
class Ledger extends UsageRepository {
  readonly calls: string[] = [];
  private away = 0;

  constructor(private readonly refused: ReadonlySet<string>) {
    super(new PrismaService({ connectionString: 'postgresql://127.0.0.1:1/none', poolMax: 1 }));
  }

  goAwayFor(inserts: number): void {
    this.away = inserts;
  }

  override insert(entries: readonly UsageEntry[]): Promise<void> {
    const ids = entries.map(({ owner }) => owner.callId);
    this.away -= 1;
    if (this.away >= 0) return Promise.reject(new AppError('service_unavailable', 'away'));
    if (ids.some((id) => this.refused.has(id))) return Promise.reject(new Error('refused'));
    this.calls.push(...ids);
    return Promise.resolve();
  }
}

const ATTEMPT: AttemptRecord = {
  attempt: 1,
  provider: 'demo',
  model: 'echo',
  outcome: 'completed',
  usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
  costMicroUsd: 0n,
  estimated: false,
};

describe('BufferedUsageSink', () => {
  it('loses only the record that the database rejects', async () => {
    const ledger = new Ledger(new Set(['call-3']));
    const sink = new BufferedUsageSink(ledger, new Clock());
    const ids = Array.from({ length: 9 }, (_, index) => `call-${index}`);
    for (const callId of ids) sink.record({ callId, userId: 'user' }, [ATTEMPT]);
    await sink.onApplicationShutdown();
    expect(ledger.calls.toSorted()).toEqual(ids.filter((id) => id !== 'call-3'));
  });

  it('buffers records that cannot be written, and writes them later on its own', async () => {
    const ledger = new Ledger(new Set());
    ledger.goAwayFor(1);
    const sink = new BufferedUsageSink(ledger, new Clock());
    sink.record({ callId: 'first', userId: 'user' }, [ATTEMPT]);
    const until = performance.now() + 5000;
    while (ledger.calls.length === 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ledger.calls).toEqual(['first']);
    await sink.onApplicationShutdown();
  });
});
