import { describe, expect, test } from '@jest/globals';
import { CachedQuery } from './cached-query.js';

const TIMES = { timeoutMs: 20, lifetimeMs: 60_000 };

describe('CachedQuery', () => {
  test('queries once for all scrapes within the lifetime', async () => {
    let queries = 0;
    const query = new CachedQuery(() => Promise.resolve((queries += 1)));
    expect(await Promise.all([query.get(), query.get()])).toEqual([1, 1]);
    expect(await query.get()).toBe(1);
    expect(queries).toBe(1);
  });

  test('queries again after the lifetime', async () => {
    let queries = 0;
    const query = new CachedQuery(() => Promise.resolve((queries += 1)), { ...TIMES, lifetimeMs: 0 });
    expect([await query.get(), await query.get()]).toEqual([1, 2]);
  });

  test('has no result after a failure, and does not repeat the query within the lifetime', async () => {
    let queries = 0;
    const query = new CachedQuery<number>(() => {
      queries += 1;
      return Promise.reject(new Error('away'));
    }, TIMES);
    expect([await query.get(), await query.get()]).toEqual([undefined, undefined]);
    expect(queries).toBe(1);
  });

  test('stops waiting for a query that hangs, starts no second one, and uses its late result', async () => {
    let queries = 0;
    const answer = Promise.withResolvers<string>();
    const query = new CachedQuery(() => {
      queries += 1;
      return answer.promise;
    }, TIMES);
    expect([await query.get(), await query.get()]).toEqual([undefined, undefined]);
    answer.resolve('late');
    expect(await query.get()).toBe('late');
    expect(queries).toBe(1);
  });
});
