import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ByteLimiter } from './byte-limiter.js';

const never = new AbortController().signal;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Lets all pending promises settle. */
const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0);

describe('ByteLimiter', () => {
  it('admits requests that fit at once, and the others in order of arrival as bytes are released', async () => {
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

  it('admits a request above the whole capacity only alone', async () => {
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

  it('rejects a request that has waited too long with a retry delay, and admits those queued after it', async () => {
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

  it('removes a queued request when its signal aborts, and rejects one whose signal has already aborted', async () => {
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

  it('counts bytes released twice only once', async () => {
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

  it('releases the bytes of a lease before it acquires others', async () => {
    const limiter = new ByteLimiter(100, 10_000);
    const lease = limiter.lease();
    await lease.acquire(100, never);
    await lease.acquire(80, never);
    await limiter.acquire(20, never);
    lease.release();
    lease.release();
    await limiter.acquire(80, never);
  });
});
