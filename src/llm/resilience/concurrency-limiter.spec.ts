import { getEventListeners } from 'node:events';
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

  describe('for background callers', () => {
    it('serves every interactive caller before them', async () => {
      const limiter = new ConcurrencyLimiter(1, 2);
      const release = await limiter.acquire(patient);
      const order: string[] = [];
      const queue = (name: string, priority: 'interactive' | 'background'): Promise<void> =>
        limiter.acquire(patient, priority).then((give) => {
          order.push(name);
          give();
        });
      const waiting = [
        queue('background 1', 'background'),
        queue('background 2', 'background'),
        queue('interactive 1', 'interactive'),
        queue('interactive 2', 'interactive'),
      ];
      release();
      await Promise.all(waiting);
      expect(order).toEqual(['interactive 1', 'interactive 2', 'background 1', 'background 2']);
    });

    it.each([
      { slots: 1, usable: 1 },
      { slots: 2, usable: 1 },
      { slots: 4, usable: 3 },
      { slots: 16, usable: 12 },
    ])('grants $usable of $slots slots, and the others to interactive callers', async ({ slots, usable }) => {
      const limiter = new ConcurrencyLimiter(slots, 0);
      const granted: (() => void)[] = [];
      for (let count = 0; count < slots + 5; count += 1)
        void limiter.acquire(patient, 'background').then((give) => granted.push(give));
      await settled();
      expect(granted).toHaveLength(usable);
      for (let free = slots - usable; free > 0; free -= 1) await limiter.acquire(patient);
      await expect(limiter.acquire(patient)).rejects.toMatchObject({ kind: 'overloaded' });
      expect(limiter.running).toBe(slots);
    });

    it('leaves the last quarter free, whatever calls have the other slots', async () => {
      const limiter = new ConcurrencyLimiter(4, 0);
      const releases = [await limiter.acquire(patient), await limiter.acquire(patient)];
      releases.push(await limiter.acquire(patient, 'background'));
      let granted = false;
      const waiting = limiter.acquire(patient, 'background').then(() => {
        granted = true;
      });
      releases.push(await limiter.acquire(patient));
      releases.pop()?.();
      await settled();
      expect(granted).toBe(false);
      releases.pop()?.();
      await waiting;
      expect(limiter.running).toBe(3);
    });

    it('never refuses them because of the length of a queue, nor interactive callers because of theirs', async () => {
      const limiter = new ConcurrencyLimiter(1, 1);
      const release = await limiter.acquire(patient);
      const background = Array.from({ length: 50 }, () => limiter.acquire(patient, 'background'));
      const interactive = limiter.acquire(patient);
      await expect(limiter.acquire(patient)).rejects.toMatchObject({ kind: 'overloaded' });
      const late = limiter.acquire(patient, 'background');
      release();
      (await interactive)();
      for (const waiting of [...background, late]) (await waiting)();
      expect([limiter.running, limiter.queued]).toEqual([0, 0]);
    });

    it('removes them from the queue when they abort, together with their listener', async () => {
      const limiter = new ConcurrencyLimiter(2, 0);
      const release = await limiter.acquire(patient, 'background');
      const gone = new AbortController();
      const leaving = limiter.acquire(gone.signal, 'background');
      const staying = limiter.acquire(gone.signal, 'background');
      const other = limiter.acquire(patient, 'background');
      expect(getEventListeners(gone.signal, 'abort')).toHaveLength(2);
      gone.abort();
      await expect(leaving).rejects.toThrow('cancelled');
      await expect(staying).rejects.toThrow('cancelled');
      expect(getEventListeners(gone.signal, 'abort')).toHaveLength(0);
      expect(limiter.queued).toBe(1);
      release();
      (await other)();
      expect([limiter.running, limiter.queued]).toEqual([0, 0]);
    });

    it('leaves no listener on the signal of a caller that got a slot', async () => {
      const limiter = new ConcurrencyLimiter(1, 0);
      const release = await limiter.acquire(patient, 'background');
      const { signal } = new AbortController();
      const waiting = limiter.acquire(signal, 'background');
      release();
      (await waiting)();
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });
});
