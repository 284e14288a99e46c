import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AppError } from '../../../common/errors.js';
import { Broadcast, RedisConnection } from '../../../infra/redis/index.js';
import type { LogEntry } from './answer-entries.js';
import { AnswerLog, LOG_START, type StoredLogEntry } from './answer-log.js';
import type { AnswerState, StoredAnswer } from '../messages/answer.repository.js';
import { storedAnswer } from '../../../../test/support/stored-answer.js';
import { type AnswerRowReader, StoredAnswerStream } from './stored-answer-stream.js';

const LOOK_MS = 1_000;
const MINUTE_MS = 60_000;

const ROW = storedAnswer({ content: 'ab', attempt: 2 });
const CALLS = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }];
const delta = (start: number, text: string, attempt = 2): LogEntry => ({
  ...{ type: 'delta', attempt },
  ...{ start, delta: text },
});

/** An in-memory log. */
class MemoryLog extends AnswerLog {
  readonly entries: LogEntry[] = [];
  away = false;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly hasRedis = true) {
    const redis = new RedisConnection(undefined);
    super(redis, new Broadcast(redis));
  }

  get watchers(): number {
    return this.listeners.size;
  }

  override get enabled(): boolean {
    return this.hasRedis;
  }

  override readEntries(_answerId: string, after: string): Promise<StoredLogEntry[]> {
    if (this.away) return Promise.reject(new Error('Redis is away.'));
    const from = after === LOG_START ? 0 : Number(after);
    return Promise.resolve(
      this.entries.slice(from).map((entry, index) => ({ entryId: String(from + index + 1), entry })),
    );
  }

  override watch(_answerId: string, listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  add(...entries: readonly LogEntry[]): void {
    this.entries.push(...entries);
    for (const listener of this.listeners) listener();
  }
}

/** An in-memory row. */
class MemoryRow implements AnswerRowReader {
  stored: StoredAnswer | null = ROW;
  failure: Error | undefined;
  reads = 0;

  state(): Promise<AnswerState | null> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.stored === null) return Promise.resolve(null);
    const { status, attempt, content } = this.stored;
    return Promise.resolve({ generating: status === 'generating', attempt, bytes: content.length });
  }

  read(): Promise<StoredAnswer | null> {
    this.reads += 1;
    return Promise.resolve(this.stored);
  }

  sources(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

let log: MemoryLog;
let row: MemoryRow;
let leaving: AbortController;
let client: AbortController;

beforeEach(() => {
  jest.useFakeTimers();
  [log, row, leaving, client] = [
    new MemoryLog(),
    new MemoryRow(),
    new AbortController(),
    new AbortController(),
  ];
});

afterEach(() => {
  jest.useRealTimers();
});

const answerOf = (first: StoredAnswer = ROW): StoredAnswerStream =>
  new StoredAnswerStream(first, log, row, leaving.signal);
const textOf = (answer: StoredAnswerStream): string => {
  const { length, slice } = answer.snapshot();
  return slice(0, length);
};
/** Waits for the next change while the fake clock advances. */
const nextChange = async (answer: StoredAnswerStream, ms: number = LOOK_MS): Promise<void> => {
  const changed = answer.waitForChange(client.signal);
  await Promise.all([changed, jest.advanceTimersByTimeAsync(ms)]);
};

describe('an answer of another process', () => {
  it('starts with the contents of its row', () => {
    const answer = answerOf({ ...ROW, toolCalls: CALLS, model: null });
    expect(answer).toMatchObject({ conversationId: 'conversation', answerId: 'answer' });
    expect(answer.snapshot()).toMatchObject({
      attempt: 2,
      length: 2,
      callsLength: 3,
      model: '',
      outcome: undefined,
    });
    expect(answer.snapshot().piece(0, 10)).toMatchObject({ type: 'call', id: 'a' });
  });

  it('shows the entries that are already in its log and those that arrive later', async () => {
    const answer = answerOf();
    log.add(delta(0, 'ab'), delta(0, 'abc'));
    await nextChange(answer, 0);
    expect(textOf(answer)).toBe('abc');
    const changed = answer.waitForChange(client.signal);
    await jest.advanceTimersByTimeAsync(1);
    log.add(delta(3, 'd'));
    await changed;
    expect([textOf(answer), row.reads]).toEqual(['abcd', 0]);
  });

  it('restarts when its log does, and names the model that continues', async () => {
    const answer = answerOf();
    log.add({ type: 'restarted', attempt: 3, model: 'demo/other' }, delta(0, 'x', 3));
    await nextChange(answer, 0);
    expect(answer.snapshot()).toMatchObject({ attempt: 3, length: 1, model: 'demo/other' });
  });

  it('waits for its row if the log has a gap, and continues from there', async () => {
    const answer = answerOf();
    log.add(delta(4, 'e'));
    await nextChange(answer);
    expect(textOf(answer)).toBe('ab');
    row.stored = { ...ROW, content: 'abcd' };
    await nextChange(answer);
    expect(textOf(answer)).toBe('abcd');
    await nextChange(answer, 0);
    expect(textOf(answer)).toBe('abcde');
  });

  it.each([
    ['without Redis', () => new MemoryLog(false)],
    ['while Redis is away', () => Object.assign(new MemoryLog(), { away: true })],
  ])('is read from its row %s, and only if the row has changed', async (_when, makeLog) => {
    log = makeLog();
    const answer = answerOf();
    await nextChange(answer);
    await nextChange(answer);
    expect(row.reads).toBe(1);
    row.stored = { ...ROW, content: 'abc', toolCalls: CALLS };
    await nextChange(answer);
    expect([textOf(answer), answer.snapshot().callsLength, row.reads]).toEqual(['abc', 3, 2]);
  });

  it.each<[string, Partial<StoredAnswer>, string]>([
    ['is behind', { content: 'a' }, 'ab'],
    ['is of an earlier attempt', { attempt: 1, content: 'before' }, 'ab'],
    ['is of a later attempt', { attempt: 3, content: 'x' }, 'x'],
    ['is complete, although the log had more', { status: 'complete', content: 'a' }, 'a'],
  ])('keeps the text that counts if its row %s', async (_what, change, text) => {
    const answer = answerOf();
    row.stored = { ...ROW, ...change };
    await nextChange(answer);
    expect(textOf(answer)).toBe(text);
  });

  it('has its outcome as soon as the log contains its end', async () => {
    const answer = answerOf();
    log.add(delta(0, 'abc'), { type: 'ended' });
    row.stored = { ...ROW, status: 'complete', content: 'abc', finishReason: 'stop' };
    await nextChange(answer, 0);
    await nextChange(answer, 0);
    expect(answer.snapshot().outcome).toMatchObject({ status: 'complete', text: 'abc' });
  });

  it('is interrupted if its conversation is deleted', async () => {
    const answer = answerOf();
    row.stored = null;
    await nextChange(answer);
    expect(answer.snapshot().outcome).toMatchObject({ status: 'interrupted', text: 'ab' });
  });
});

describe('a follower of an answer of another process', () => {
  it('does not notice a short outage of the database, but gets an error after a long one', async () => {
    const answer = answerOf();
    row.failure = new AppError('service_unavailable', 'The database is away.');
    await nextChange(answer);
    expect(answer.snapshot().outcome).toBeUndefined();
    await jest.advanceTimersByTimeAsync(MINUTE_MS);
    const changed = expect(answer.waitForChange(client.signal)).rejects.toThrow('The database is away.');
    await jest.advanceTimersByTimeAsync(LOOK_MS);
    await changed;
  });

  it('gets any other error than an outage of the database immediately', async () => {
    const answer = answerOf();
    row.failure = new Error('No such column.');
    const changed = expect(answer.waitForChange(client.signal)).rejects.toThrow('No such column.');
    await jest.advanceTimersByTimeAsync(LOOK_MS);
    await changed;
  });

  it.each(['before it waits', 'while it waits'])(
    'is dismissed %s if its own process shuts down',
    async (when) => {
      const answer = answerOf();
      if (when === 'before it waits') leaving.abort();
      const changed = expect(answer.waitForChange(client.signal)).rejects.toMatchObject({
        code: 'service_unavailable',
      });
      await jest.advanceTimersByTimeAsync(1);
      leaving.abort();
      await changed;
    },
  );

  it.each(['before it waits', 'while it waits'])('ends if its client disconnects %s', async (when) => {
    const answer = answerOf();
    if (when === 'before it waits') client.abort();
    const changed = answer.waitForChange(client.signal);
    await jest.advanceTimersByTimeAsync(1);
    client.abort();
    await changed;
    expect(row.reads).toBe(0);
  });

  it('releases its timers and its log subscription', async () => {
    const answer = answerOf();
    answer.close();
    await nextChange(answer);
    expect(log.watchers).toBe(1);
    answer.close();
    expect([log.watchers, jest.getTimerCount()]).toEqual([0, 0]);
  });
});
