import { describe, expect, it } from '@jest/globals';
import type { Caller } from '../../common/caller.js';
import { PrincipalCache } from './principal-cache.js';

const ADA: Caller = { userId: 'ada', apiKeyId: null, cacheGeneration: 0, scopes: 'all' };
const BOB: Caller = { userId: 'bob', apiKeyId: 'key', cacheGeneration: 0, scopes: 'all' };

describe('PrincipalCache', () => {
  it('verifies a credential once for concurrent requests', async () => {
    const cache = new PrincipalCache<Caller>();
    let asked = 0;
    const ask = (): Promise<Caller> => {
      asked += 1;
      return Promise.resolve(ADA);
    };
    await Promise.all(Array.from({ length: 5 }, () => cache.get('token', ask)));
    await cache.get('token', ask);
    expect(asked).toBe(1);
  });

  it('forgets only matching accounts', async () => {
    const cache = new PrincipalCache<Caller>();
    await cache.get('a', () => Promise.resolve(ADA));
    await cache.get('b', () => Promise.resolve(BOB));
    cache.forget(({ userId }) => userId === 'ada');
    const never = (): Promise<Caller> => Promise.reject(new Error('asked again'));
    await expect(cache.get('a', never)).rejects.toThrow('asked again');
    await expect(cache.get('b', never)).resolves.toBe(BOB);
  });

  it('forgets pending verifications of every account, because their result may be outdated', async () => {
    const cache = new PrincipalCache<Caller>();
    const early = Promise.withResolvers<Caller>();
    const waiting = cache.get('a', () => early.promise);
    cache.forget(() => false);
    early.resolve(ADA);
    await waiting;
    await expect(cache.get('a', () => Promise.resolve(BOB))).resolves.toBe(BOB);
  });

  it('does not cache a rejection', async () => {
    const cache = new PrincipalCache<Caller>();
    await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(cache.get('a', () => Promise.resolve(ADA))).resolves.toBe(ADA);
  });
});
