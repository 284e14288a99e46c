import { describe, expect, it } from '@jest/globals';
import { ConcurrencyLimiter } from './concurrency-limiter.js';

const patient = new AbortController().signal;

/** Waits until all pending promises have settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('ConcurrencyLimiter', () => {
  it('grants its slots, then serves the queue in order', async () => {
    const places = new ConcurrencyLimiter(2, 2);
    const release = await places.acquire(patient);
    await places.acquire(patient);
    const order: string[] = [];
    const third = places.acquire(patient).then((give) => {
      order.push('third');
      return give;
    });
    const fourth = places.acquire(patient).then(() => order.push('fourth'));
    await settled();
    expect(order).toEqual([]);
    release();
    const give = await third;
    await settled();
    expect(order).toEqual(['third']);
    give();
    await fourth;
    expect(order).toEqual(['third', 'fourth']);
  });

  it('refuses immediately if the queue is full', async () => {
    const places = new ConcurrencyLimiter(1, 0);
    const release = await places.acquire(patient);
    await expect(places.acquire(patient)).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 1000 });
    release();
    await expect(places.acquire(patient)).resolves.toEqual(expect.any(Function));
  });

  it('does not grant a slot to a late caller ahead of the queue', async () => {
    const places = new ConcurrencyLimiter(1, 2);
    const release = await places.acquire(patient);
    const order: string[] = [];
    const waiting = places.acquire(patient).then((give) => {
      order.push('waited');
      give();
    });
    release();
    const late = places.acquire(patient).then(() => order.push('late'));
    await Promise.all([waiting, late]);
    expect(order).toEqual(['waited', 'late']);
  });

  it('removes an aborted caller from the queue immediately', async () => {
    const places = new ConcurrencyLimiter(1, 1);
    const release = await places.acquire(patient);
    const gone = new AbortController();
    const leaving = places.acquire(gone.signal);
    gone.abort();
    await expect(leaving).rejects.toThrow('cancelled');
    const waiting = places.acquire(patient);
    release();
    await expect(waiting).resolves.toEqual(expect.any(Function));
  });

  it('does not grant a slot to a caller that has already aborted', async () => {
    const places = new ConcurrencyLimiter(1, 1);
    await expect(places.acquire(AbortSignal.abort())).rejects.toThrow();
    await expect(places.acquire(patient)).resolves.toEqual(expect.any(Function));
  });
});
