import { describe, expect, it } from '@jest/globals';
import { ConcurrencyLimiter } from './concurrency-limiter.js';

const patient = new AbortController().signal;

/** Waits until everything that could go on has. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('ConcurrencyLimiter', () => {
  it('are given out up to their number, then in the order of the queue', async () => {
    const places = new ConcurrencyLimiter(2, 2);
    const release = await places.take(patient);
    await places.take(patient);
    const order: string[] = [];
    const third = places.take(patient).then((give) => {
      order.push('third');
      return give;
    });
    const fourth = places.take(patient).then(() => order.push('fourth'));
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

  it('are refused at once where the queue is full', async () => {
    const places = new ConcurrencyLimiter(1, 0);
    const release = await places.take(patient);
    await expect(places.take(patient)).rejects.toMatchObject({ kind: 'overloaded', retryAfterMs: 1000 });
    release();
    await expect(places.take(patient)).resolves.toEqual(expect.any(Function));
  });

  it('are not taken by who comes later than those who wait', async () => {
    const places = new ConcurrencyLimiter(1, 2);
    const release = await places.take(patient);
    const order: string[] = [];
    const waiting = places.take(patient).then((give) => {
      order.push('waited');
      give();
    });
    release();
    const late = places.take(patient).then(() => order.push('late'));
    await Promise.all([waiting, late]);
    expect(order).toEqual(['waited', 'late']);
  });

  it('are not waited for any more by who is gone, who makes room in the queue at once', async () => {
    const places = new ConcurrencyLimiter(1, 1);
    const release = await places.take(patient);
    const gone = new AbortController();
    const leaving = places.take(gone.signal);
    gone.abort();
    await expect(leaving).rejects.toThrow('cancelled');
    const waiting = places.take(patient);
    release();
    await expect(waiting).resolves.toEqual(expect.any(Function));
  });

  it('are not given to who was gone before', async () => {
    const places = new ConcurrencyLimiter(1, 1);
    await expect(places.take(AbortSignal.abort())).rejects.toThrow();
    await expect(places.take(patient)).resolves.toEqual(expect.any(Function));
  });
});
