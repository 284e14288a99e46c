import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LowPriorityLane } from './low-priority-lane.js';

/** Work that ends when it is told to. */
class Work {
  readonly started: string[] = [];
  private readonly ends = new Map<string, PromiseWithResolvers<string>>();

  constructor(private readonly lane: LowPriorityLane) {}

  add(name: string): Promise<string> {
    const end = Promise.withResolvers<string>();
    this.ends.set(name, end);
    return this.lane.run(() => {
      this.started.push(name);
      return end.promise;
    });
  }

  end(name: string): void {
    this.ends.get(name)?.resolve(name);
  }

  fail(name: string): void {
    this.ends.get(name)?.reject(new Error(name));
  }
}

describe('statements of low priority', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [10, 3],
    [50, 16],
  ])('of %i connections use at most %i at once', async (connections, most) => {
    const work = new Work(new LowPriorityLane(connections));
    const names = Array.from({ length: 20 }, (_, index) => String(index));
    const ended = names.map((name) => work.add(name));
    await setImmediate();
    expect(work.started).toEqual(names.slice(0, most));
    for (const name of names) {
      work.end(name);
      await setImmediate();
    }
    expect(await Promise.all(ended)).toEqual(names);
    expect(work.started).toEqual(names);
  });

  it('begin in their order, also after one that has failed', async () => {
    const work = new Work(new LowPriorityLane(3));
    const first = work.add('a');
    const [second, third] = [work.add('b'), work.add('c')];
    work.fail('a');
    await expect(first).rejects.toThrow('a');
    await setImmediate();
    expect(work.started).toEqual(['a', 'b']);
    work.end('b');
    work.end('c');
    await Promise.all([second, third]);
    expect(work.started).toEqual(['a', 'b', 'c']);
  });

  it('do not wait for those that wait themselves, but leave a third of the connections', async () => {
    const work = new Work(new LowPriorityLane(6));
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const ended = names.map((name) => work.add(name));
    const started: number[] = [];
    for (const wait of [0, 99, 1, 1_000]) {
      jest.advanceTimersByTime(wait);
      await setImmediate();
      started.push(work.started.length);
    }
    expect(started).toEqual([2, 2, 4, 4]);
    // The end of one that has given its place away frees one more only.
    work.end('a');
    await setImmediate();
    expect(work.started).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (const name of names.slice(1)) {
      work.end(name);
      await setImmediate();
    }
    expect(await Promise.all(ended)).toEqual(names);
    expect(work.started).toEqual(names);
  });
});
