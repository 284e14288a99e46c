import { describe, expect, it } from '@jest/globals';
import { mapConcurrently } from './map-concurrently.js';

const idle = new AbortController().signal;

describe('concurrently', () => {
  it('returns results in the order of the items, regardless of which one finishes first', async () => {
    const first = Promise.withResolvers<undefined>();
    const results = await mapConcurrently(['a', 'b', 'c'], { atOnce: 2, signal: idle }, async (item) => {
      if (item === 'a') await first.promise;
      if (item === 'c') first.resolve(undefined);
      return [item];
    });
    expect(results).toEqual([['a'], ['b'], ['c']]);
  });

  it('throws the first failure once the aborted others have ended, and starts no further item', async () => {
    const started: number[] = [];
    const ended: number[] = [];
    const all = mapConcurrently([0, 1, 2, 3], { atOnce: 3, signal: idle }, async (item, signal) => {
      started.push(item);
      await Promise.resolve();
      if (item === 1) throw new Error('the first');
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true });
      });
      ended.push(item);
      throw new Error('aborted');
    });
    await expect(all).rejects.toThrow('the first');
    expect([started, ended]).toEqual([
      [0, 1, 2],
      [0, 2],
    ]);
  });

  it('aborts the items when the outer signal aborts', async () => {
    const outside = new AbortController();
    const all = mapConcurrently([0, 1], { atOnce: 1, signal: outside.signal }, (item, signal) => {
      outside.abort();
      return signal.aborted ? Promise.reject(new Error(`aborted ${String(item)}`)) : Promise.resolve(item);
    });
    await expect(all).rejects.toThrow('aborted 0');
  });

  it('returns nothing for no items', async () => {
    expect(await mapConcurrently([], { atOnce: 4, signal: idle }, () => Promise.resolve(1))).toEqual([]);
  });
});
