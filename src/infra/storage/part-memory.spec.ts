import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type PartLease, PartMemory } from './part-memory.js';

const RECEIVE_MS = 60_000;

let memory: PartMemory;
let granted: string[];
let leases: Map<string, PartLease>;

/** Asks for bytes, and notes when they are granted. */
function ask(name: string, bytes: number, signal = new AbortController().signal): Promise<void> {
  const folder = name.charAt(0);
  return memory.acquire(folder, bytes, signal).then((lease) => {
    granted.push(name);
    leases.set(name, lease);
  });
}

async function release(name: string): Promise<void> {
  leases.get(name)?.release();
  await settled();
}

/** Lets every promise that can settle do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  memory = new PartMemory({ total: 10, perFolder: 4, receiveMs: RECEIVE_MS });
  granted = [];
  leases = new Map();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('the memory for parts of uploads', () => {
  it('is granted at once while there is enough, and then in order of arrival', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) void ask(name, 4);
    await settled();
    expect([granted, memory.usedBytes, memory.queued]).toEqual([['a', 'b'], 8, 3]);
    await release('b');
    await release('a');
    expect([granted, memory.usedBytes, memory.queued]).toEqual([['a', 'b', 'c', 'd'], 8, 1]);
    // Releasing twice frees nothing that another upload has.
    await release('a');
    expect(memory.usedBytes).toBe(8);
  });

  it('is never granted to one folder beyond its limit, and others do not wait for it', async () => {
    for (const name of ['a1', 'a2', 'a3', 'b']) void ask(name, 2);
    await settled();
    expect([granted, memory.queued]).toEqual([['a1', 'a2', 'b'], 1]);
  });

  it('goes first to the folder that has the least', async () => {
    for (const name of ['a1', 'a2', 'b', 'c1', 'd']) void ask(name, 2);
    await settled();
    for (const name of ['c2', 'e']) void ask(name, 2);
    await release('a1');
    expect(granted.at(-1)).toBe('e');
    await release('a2');
    expect(granted.at(-1)).toBe('c2');
  });

  it('is granted to a part that is larger than the limits when nobody else has any of it', async () => {
    void ask('a', 3);
    void ask('b', 11);
    await settled();
    expect(granted).toEqual(['a']);
    await release('a');
    expect(granted).toEqual(['a', 'b']);
  });

  it('leaves no trace of an upload that is aborted while it waits, and lets the next one in', async () => {
    void ask('a', 4);
    void ask('b', 4);
    const abortion = new AbortController();
    const large = ask('c', 11, abortion.signal);
    void ask('d', 2);
    await settled();
    expect(granted).toEqual(['a', 'b']);
    expect(jest.getTimerCount()).toBe(1);
    const reason = new Error('gone');
    abortion.abort(reason);
    await expect(large).rejects.toBe(reason);
    await settled();
    expect([granted, memory.queued]).toEqual([['a', 'b', 'd'], 0]);
    expect(getEventListeners(abortion.signal, 'abort')).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
    await expect(ask('c', 1, abortion.signal)).rejects.toBe(reason);
  });

  it('is taken from the part that arrives slowest if another folder waits, and from no other', async () => {
    void ask('a', 4);
    await settled();
    jest.advanceTimersByTime(RECEIVE_MS / 2);
    void ask('b', 4);
    void ask('c', 2);
    await settled();
    leases.get('a')?.endReceiving();
    void ask('d', 2);
    await settled();
    // The part of the first one is complete: the store, not its client, delays it.
    jest.advanceTimersByTime(RECEIVE_MS - 1);
    expect([...leases.values()].filter(({ revoked }) => revoked.aborted)).toEqual([]);
    jest.advanceTimersByTime(1);
    const revoked = [...leases].filter(([, lease]) => lease.revoked.aborted).map(([name]) => name);
    expect(revoked).toEqual(['b']);
    await release('b');
    expect(granted).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is never taken from a slow upload for another one of the same folder', async () => {
    void ask('a1', 4);
    void ask('a2', 4);
    await settled();
    expect([granted, memory.queued, jest.getTimerCount()]).toEqual([['a1'], 1, 0]);
  });
});
