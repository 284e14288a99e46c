import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LowPriorityLimiter } from './low-priority-limiter.js';

/** Work that the test ends. */
class Work {
  readonly started: string[] = [];
  private readonly ends = new Map<string, PromiseWithResolvers<string>>();

  constructor(private readonly limiter: LowPriorityLimiter) {}

  add(name: string): Promise<string> {
    const end = Promise.withResolvers<string>();
    this.ends.set(name, end);
    return this.limiter.run(() => {
      this.started.push(name);
      return end.promise;
    });
  }

  async end(name: string): Promise<void> {
    this.ends.get(name)?.resolve(name);
    await setImmediate();
  }

  async fail(name: string): Promise<void> {
    this.ends.get(name)?.reject(new Error(name));
    await setImmediate();
  }
}

/** Lets time pass, and returns what has started by then. */
async function after(milliseconds: number, { started }: Work): Promise<string> {
  jest.advanceTimersByTime(milliseconds);
  await setImmediate();
  return started.join('');
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
    [4, 1],
    [9, 1],
    [10, 2],
    [50, 10],
  ])('on %i connections run %i at once, in their order', async (connections, limit) => {
    const work = new Work(new LowPriorityLimiter(connections));
    const names = Array.from({ length: 20 }, (_, index) => String(index));
    const ended = names.map((name) => work.add(name));
    await setImmediate();
    expect(work.started).toEqual(names.slice(0, limit));
    for (const name of names) await work.end(name);
    expect(await Promise.all(ended)).toEqual(names);
    expect(work.started).toEqual(names);
  });

  it('begin after one that has failed', async () => {
    const work = new Work(new LowPriorityLimiter(3));
    const first = expect(work.add('a')).rejects.toThrow('a');
    const ended = [work.add('b'), work.add('c')];
    await work.fail('a');
    await first;
    expect(work.started).toEqual(['a', 'b']);
    await work.end('b');
    await work.end('c');
    expect(await Promise.all(ended)).toEqual(['b', 'c']);
  });

  it.each([1, 2, 3])('do not wait for one that is blocked, on %i connections', async (connections) => {
    const work = new Work(new LowPriorityLimiter(connections));
    const ended = ['a', 'b', 'c'].map((name) => work.add(name));
    expect(await after(0, work)).toBe('a');
    expect(await after(99, work)).toBe('a');
    expect(await after(1, work)).toBe('ab');
    // The end of the blocked one lets no other begin in addition.
    await work.end('a');
    expect(work.started).toEqual(['a', 'b']);
    await work.end('b');
    expect(work.started).toEqual(['a', 'b', 'c']);
    await work.end('c');
    expect(await Promise.all(ended)).toEqual(['a', 'b', 'c']);
  });

  it('wait at most a second, then run beside the others, and release nothing that they did not acquire', async () => {
    const work = new Work(new LowPriorityLimiter(3));
    const names = Array.from({ length: 14 }, (_, index) => String.fromCharCode(97 + index));
    const ended = names.map((name) => work.add(name));
    // One more each time that the last one counts as blocked.
    for (let count = 1; count < 10; count += 1)
      expect(await after(count === 1 ? 0 : 100, work)).toHaveLength(count);
    expect(await after(199, work)).toHaveLength(10);
    expect(await after(1, work)).toHaveLength(14);
    const later = ['x', 'y'].map((name) => work.add(name));
    for (const name of names) await work.end(name);
    expect(work.started.slice(14)).toEqual(['x']);
    await work.end('x');
    await work.end('y');
    expect(await Promise.all([...ended, ...later])).toEqual([...names, 'x', 'y']);
  });
});
