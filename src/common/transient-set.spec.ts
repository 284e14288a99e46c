import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { TransientSet } from './transient-set.js';

/** Returns V8's function that collects garbage, of the young generation only or of all. */
function exposeGc(): (options?: { readonly type: 'minor' }) => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') throw new Error('V8 has no function that collects garbage.');
  return (options) => void Reflect.apply(gc, undefined, [options]);
}

describe('TransientSet', () => {
  it('has its items in the order in which they were added, without those that were removed', () => {
    const set = new TransientSet<string>();
    const remove = set.add('first');
    set.add('second');
    set.add('third');
    expect(set.first).toBe('first');
    remove();
    expect(set.first).toBe('second');
    set.add('first');
    expect([...set]).toEqual(['second', 'third', 'first']);
    expect(set.size).toBe(3);
  });

  it('has an item that was added twice until both are removed, each of them once', () => {
    const set = new TransientSet<string>();
    const [removeOne, removeOther] = [set.add('same'), set.add('same')];
    removeOne();
    removeOne();
    expect([...set]).toEqual(['same']);
    removeOther();
    expect(set.first).toBeUndefined();
    expect(set.size).toBe(0);
  });

  it('stays in order when items are removed from its beginning, its end and between', () => {
    const set = new TransientSet<number>();
    const removals = [1, 2, 3, 4, 5].map((item) => set.add(item));
    for (const index of [2, 0, 4]) removals[index]?.();
    set.add(6);
    expect([...set]).toEqual([2, 4, 6]);
    for (const remove of removals) remove();
    expect([set.size, set.first, ...set]).toEqual([1, 6, 6]);
  });

  it('does not iterate over an item that is removed meanwhile', () => {
    const set = new TransientSet<string>();
    set.add('first');
    const remove = set.add('second');
    set.add('third');
    const seen: string[] = [];
    for (const item of set) {
      seen.push(item);
      remove();
    }
    expect(seen).toEqual(['first', 'third']);
  });

  it('keeps no removed items in memory until the next major garbage collection, as a Set does', () => {
    const collectGarbage = exposeGc();
    const set = new TransientSet<number[]>();
    // A table of a `Set` has old items only while some of them are in it.
    const removals = Array.from({ length: 100 }, () => set.add([]));
    // Now the set is old, as that of a process that has run for a while.
    collectGarbage();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let item = 0; item < 60_000; item += 1) {
      // A kilobyte, 60 MB in total.
      removals.push(set.add(new Array<number>(125).fill(item + 0.5)));
      removals.shift()?.();
      if (item % 1_000 === 0) collectGarbage({ type: 'minor' });
    }
    // A `Set` keeps 35 MB.
    expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(5);
  });
});
