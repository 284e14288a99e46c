import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ByteLimiter } from './byte-limiter.js';

const never = new AbortController().signal;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Lets everything go on that can. */
const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0);

describe('a byte limiter', () => {
  it('admits what fits at once, and the rest in the order of arrival as room is made', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    const release = await limiter.acquire(60, never);
    const admitted: string[] = [];
    const large = limiter.acquire(50, never).then((free) => {
      admitted.push('large');
      return free;
    });
    const small = limiter.acquire(10, never).then(() => admitted.push('small'));
    await settle();
    // The small one would fit, but the large one came first.
    expect(admitted).toEqual([]);
    release();
    await Promise.all([large, small]);
    expect(admitted).toEqual(['large', 'small']);
  });

  it('admits a need above the whole capacity alone', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    const release = await limiter.acquire(1, never);
    let admitted = false;
    const huge = limiter.acquire(500, never).then((free) => {
      admitted = true;
      return free;
    });
    await settle();
    expect(admitted).toBe(false);
    release();
    const releaseHuge = await huge;
    const next = limiter.acquire(1, never);
    releaseHuge();
    await next;
  });

  it('refuses a need that waited too long, with a time to come back, and lets those behind it in', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    await limiter.acquire(60, never);
    const large = limiter.acquire(50, never);
    const refused = expect(large).rejects.toMatchObject({ code: 'service_unavailable', retryAfterMs: 5_000 });
    await jest.advanceTimersByTimeAsync(9_000);
    const small = limiter.acquire(40, never);
    await jest.advanceTimersByTimeAsync(1_000);
    await refused;
    await small;
  });

  it('forgets a need whose signal aborts while it waits, and does not begin with one that has aborted', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    const release = await limiter.acquire(100, never);
    const gone = new AbortController();
    const waiting = limiter.acquire(100, gone.signal);
    const aborted = expect(waiting).rejects.toThrow('the client left');
    gone.abort(new Error('the client left'));
    await aborted;
    await expect(limiter.acquire(1, gone.signal)).rejects.toThrow('the client left');
    release();
    await limiter.acquire(100, never);
  });

  it('counts what is released twice once', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    const release = await limiter.acquire(50, never);
    await limiter.acquire(50, never);
    release();
    release();
    await limiter.acquire(50, never);
    const beyond = limiter.acquire(1, never);
    const refused = expect(beyond).rejects.toMatchObject({ code: 'service_unavailable' });
    await jest.advanceTimersByTimeAsync(10_000);
    await refused;
  });

  it('gives back what a lease held before it holds something else', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    const lease = limiter.lease();
    await lease.hold(100, never);
    await lease.hold(80, never);
    await limiter.acquire(20, never);
    lease.release();
    lease.release();
    await limiter.acquire(80, never);
  });
});
