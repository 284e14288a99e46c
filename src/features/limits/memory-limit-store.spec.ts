import { describe, expect, it } from '@jest/globals';
import { Clock } from '../../common/clock.js';
import type { Reservation } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';

class StoppedClock extends Clock {
  constructor(public time = Date.UTC(2026, 10, 21, 12)) {
    super();
  }

  override now(): number {
    return this.time;
  }
}

function reservation(changes: Partial<Reservation> = {}): Reservation {
  return {
    leaseId: `lease-${Math.random()}`,
    userId: 'u',
    subjects: ['user:u'],
    tokens: 100,
    tokensPerMinute: 1000,
    cost: 0,
    generations: 1,
    concurrency: 100,
    tokensDay: undefined,
    costMonth: undefined,
    day: '2026-11-21',
    ...changes,
  };
}

const NOTHING = { tokens: 0, cost: 0 };

describe('take of the memory store', () => {
  it.each([1, 3, 7, 10, 120, 7000])('allows exactly %d requests at once', (limit) => {
    const store = new MemoryLimitStore(new StoppedClock());
    const bucket = { key: 'a', limit, cost: 1 };
    const allowed = Array.from({ length: limit + 5 }, () => store.take([bucket]).allowed);
    expect(allowed.filter(Boolean)).toHaveLength(limit);
    expect(allowed.slice(0, limit)).not.toContain(false);
  });

  it('allows one more request after each share of the minute', () => {
    const clock = new StoppedClock();
    const store = new MemoryLimitStore(clock);
    const bucket = { key: 'a', limit: 4, cost: 1 };
    for (let count = 0; count < 4; count += 1) store.take([bucket]);
    clock.time += 14_800;
    expect(store.take([bucket]).allowed).toBe(false);
    clock.time += 200;
    expect(store.take([bucket]).allowed).toBe(true);
    expect(store.take([bucket]).allowed).toBe(false);
    clock.time += 60_000;
    expect(Array.from({ length: 5 }, () => store.take([bucket]).allowed)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  it('takes nothing from any bucket if one refuses', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    const wide = { key: 'wide', limit: 10, cost: 1 };
    const narrow = { key: 'narrow', limit: 2, cost: 1 };
    for (let count = 0; count < 9; count += 1) store.take([wide, narrow]);
    expect(Array.from({ length: 9 }, () => store.take([wide]).allowed)).toEqual([
      ...Array.from({ length: 8 }, () => true),
      false,
    ]);
  });
});

describe('a lease in the memory store', () => {
  it('holds its concurrency slot until it is settled, and is settled only once', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    const one = reservation({ concurrency: 1 });
    expect(store.reserve(one).type).toBe('granted');
    expect(store.reserve(reservation({ concurrency: 1 }))).toMatchObject({ by: 'concurrency' });
    store.settle(one, NOTHING);
    store.settle(one, NOTHING);
    expect(store.reserve(reservation({ concurrency: 1 })).type).toBe('granted');
    expect(store.reserve(reservation({ concurrency: 1 })).type).toBe('refused');
  });

  it('returns unused tokens and takes additional ones when it is settled', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    const one = reservation({ tokens: 900 });
    store.reserve(one);
    expect(store.reserve(reservation({ tokens: 200 }))).toMatchObject({ by: 'tokens' });
    store.settle(one, { tokens: 100, cost: 0 });
    const two = reservation({ tokens: 200 });
    expect(store.reserve(two).type).toBe('granted');
    store.settle(two, { tokens: 800, cost: 0 });
    expect(store.reserve(reservation({ tokens: 101 }))).toMatchObject({ by: 'tokens' });
    expect(store.reserve(reservation({ tokens: 100 })).type).toBe('granted');
  });

  it('of a key also counts for its account, and takes nothing from either if refused', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    const withKey = { subjects: ['user:u', 'key:k'], concurrency: 2 };
    store.reserve(reservation(withKey));
    store.reserve(reservation({ concurrency: 2 }));
    expect(store.reserve(reservation(withKey)).type).toBe('refused');
    expect(store.reserve(reservation({ subjects: ['key:k'], concurrency: 2 })).type).toBe('granted');
  });

  it('without generations needs no concurrency slot', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    store.reserve(reservation({ concurrency: 1 }));
    expect(store.reserve(reservation({ concurrency: 1, generations: 0 })).type).toBe('granted');
  });
});

describe('a quota in the memory store', () => {
  const quota = { tokensDay: 1000, costMonth: 50, tokensPerMinute: 1_000_000 };

  it('requires the sums of the ledger first, and again after they expire', () => {
    const clock = new StoppedClock();
    const store = new MemoryLimitStore(clock);
    expect(store.reserve(reservation(quota))).toEqual({ type: 'spent_unknown' });
    const spent = { tokensDay: 0, costMonth: 0 };
    expect(store.reserve(reservation(quota), spent).type).toBe('granted');
    expect(store.reserve(reservation(quota)).type).toBe('granted');
    clock.time += 5_000;
    expect(store.reserve(reservation(quota))).toEqual({ type: 'spent_unknown' });
  });

  it('counts the ledger, open leases and later settlements', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    const one = reservation({ ...quota, tokens: 300, cost: 10 });
    expect(store.reserve(one, { tokensDay: 600, costMonth: 20 }).type).toBe('granted');
    expect(store.reserve(reservation({ ...quota, tokens: 101 }))).toMatchObject({ by: 'tokens_day' });
    expect(store.reserve(reservation({ ...quota, tokens: 100, cost: 21 }))).toMatchObject({
      by: 'cost_month',
    });
    store.settle(one, { tokens: 50, cost: 25 });
    expect(store.reserve(reservation({ ...quota, tokens: 351 }))).toMatchObject({ by: 'tokens_day' });
    expect(store.reserve(reservation({ ...quota, cost: 6 }))).toMatchObject({ by: 'cost_month' });
    expect(store.reserve(reservation({ ...quota, tokens: 350, cost: 5 })).type).toBe('granted');
  });

  it('is unknown on another day', () => {
    const store = new MemoryLimitStore(new StoppedClock());
    store.reserve(reservation(quota), { tokensDay: 999, costMonth: 0 });
    expect(store.reserve(reservation({ ...quota, day: '2026-11-22' })).type).toBe('spent_unknown');
  });
});
