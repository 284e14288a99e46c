import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { Clock } from '../../../../src/common/clock.js';
import type {
  Bucket,
  LimitStore,
  Reservation,
  LedgerUsage,
} from '../../../../src/features/limits/limit-store.js';
import { MemoryLimitStore } from '../../../../src/features/limits/memory-limit-store.js';
import { LEASE_TTL_MS, RedisLimitStore } from '../../../../src/features/limits/redis-limit-store.js';
import { describeWithRedis, redisKeyPrefix, removeRedisKeys } from '../../../support/redis.js';

class TestClock extends Clock {
  constructor(public time: number) {
    super();
  }

  override now(): number {
    return this.time;
  }
}

/** A step of a random history. */
type Step =
  | { readonly do: 'take'; readonly buckets: readonly { which: number; limit: number; cost: number }[] }
  | {
      readonly do: 'reserve';
      readonly tokens: number;
      readonly cost: number;
      readonly generations: number;
      readonly key: boolean;
      readonly quota: boolean;
      readonly spent: LedgerUsage | undefined;
    }
  | { readonly do: 'settle'; readonly which: number; readonly tokens: number; readonly cost: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('take' as const),
    buckets: fc.array(
      fc.record({
        which: fc.integer({ min: 0, max: 3 }),
        limit: fc.constantFrom(1, 3, 7, 60, 301),
        cost: fc.integer({ min: 0, max: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  fc.record({
    do: fc.constant('reserve' as const),
    tokens: fc.integer({ min: 0, max: 700 }),
    cost: fc.integer({ min: 0, max: 40 }),
    generations: fc.integer({ min: 0, max: 1 }),
    key: fc.boolean(),
    quota: fc.boolean(),
    spent: fc.option(
      fc.record({
        tokensDay: fc.integer({ min: 0, max: 1000 }),
        costMonth: fc.integer({ min: 0, max: 100 }),
      }),
      { nil: undefined },
    ),
  }),
  fc.record({
    do: fc.constant('settle' as const),
    which: fc.integer({ min: 0, max: 20 }),
    tokens: fc.integer({ min: 0, max: 1500 }),
    cost: fc.integer({ min: 0, max: 80 }),
  }),
);

/** Delay before a step, mostly none, as for concurrent requests. */
const pause = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 2000 }));

const history = fc.array(fc.tuple(pause, step), { minLength: 1, maxLength: 60, size: 'large' });

/** Runs a history and returns all results of the store. */
async function answersOf(
  store: LimitStore,
  clock: TestClock,
  steps: readonly (readonly [number, Step])[],
  run: number,
): Promise<unknown[]> {
  const answers: unknown[] = [];
  const reservations: Reservation[] = [];
  const userId = `run-${run}`;
  for (const [wait, one] of steps) {
    clock.time += wait;
    if (one.do === 'take') {
      // A bucket has one limit, which is part of its name, and appears once.
      const buckets = new Map(
        one.buckets.map(({ which, limit, cost }): [string, Bucket] => {
          const key = `{${userId}}:${which}:${limit}`;
          return [key, { key, limit, cost }];
        }),
      );
      answers.push(await store.take([...buckets.values()]));
    } else if (one.do === 'reserve') {
      const reservation: Reservation = {
        leaseId: `lease-${reservations.length}`,
        userId,
        subjects: one.key ? [`user:${userId}`, `key:${userId}`] : [`user:${userId}`],
        tokens: one.tokens,
        tokensPerMinute: 1777,
        cost: one.cost,
        generations: one.generations,
        concurrency: 3,
        tokensDay: one.quota ? 2500 : undefined,
        costMonth: one.quota ? 250 : undefined,
        day: '2026-11-21',
      };
      reservations.push(reservation);
      answers.push(await store.reserve(reservation, one.spent));
    } else {
      const settled = reservations[one.which % Math.max(1, reservations.length)];
      if (settled !== undefined) await store.settle(settled, { tokens: one.tokens, cost: one.cost });
    }
  }
  return answers;
}

describeWithRedis('limits in Redis', (redisUrl) => {
  const name = `parley_test_${randomUUID()}`;
  let client: Redis;
  let runs = Date.now();

  beforeAll(() => {
    client = new Redis(redisUrl, { keyPrefix: redisKeyPrefix({ name }) });
  });

  afterAll(async () => {
    await client.quit();
    await removeRedisKeys({ name });
  });

  it('make the same decisions as limits in memory for any history', async () => {
    const tally = { allowed: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        runs += 1;
        const start = Date.UTC(2026, 10, 21, 12);
        const near = new TestClock(start);
        const far = new TestClock(start);
        const inMemory = await answersOf(new MemoryLimitStore(near), near, steps, runs);
        const inRedis = await answersOf(new RedisLimitStore(client, () => far.now()), far, steps, runs);
        expect(inRedis).toEqual(inMemory);
        for (const answer of inMemory) {
          const text = JSON.stringify(answer);
          if (text.includes('"allowed":true') || text.includes('granted')) tally.allowed += 1;
          else tally.refused += 1;
        }
      }),
      { numRuns: 100 },
    );
    // Histories with only one of the two outcomes would have proved nothing.
    expect(tally.allowed).toBeGreaterThan(100);
    expect(tally.refused).toBeGreaterThan(100);
  });

  it('free a lease that is not renewed, and preserve one that is', async () => {
    runs += 1;
    const clock = new TestClock(Date.now());
    const store = new RedisLimitStore(client, () => clock.now());
    const lease = (leaseId: string): Reservation => ({
      leaseId,
      userId: `leases-${runs}`,
      subjects: [`user:leases-${runs}`],
      tokens: 1,
      tokensPerMinute: 1000,
      cost: 0,
      generations: 1,
      concurrency: 1,
      tokensDay: undefined,
      costMonth: undefined,
      day: '2026-11-21',
    });
    const first = lease('first');
    expect((await store.reserve(first)).type).toBe('granted');
    clock.time += LEASE_TTL_MS - 1;
    expect(await store.reserve(lease('early'))).toMatchObject({ by: 'concurrency' });
    await store.renew(first);
    clock.time += LEASE_TTL_MS - 1;
    expect(await store.reserve(lease('early'))).toMatchObject({ by: 'concurrency' });
    clock.time += 1;
    expect((await store.reserve(lease('second'))).type).toBe('granted');
    // A presumed-dead holder that settles late must not free the slot of another lease.
    await store.settle(first, { tokens: 0, cost: 0 });
    expect(await store.reserve(lease('third'))).toMatchObject({ by: 'concurrency' });
  });
});
