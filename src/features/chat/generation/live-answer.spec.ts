// LiveAnswer holds the text, the followers and the log entries of an answer; the cases of all three use the
// same turn.
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Broadcast, RedisConnection } from '../../../infra/redis/index.js';
import { type LogEntry, type AnswerSnapshot, applyEntry } from '../streams/answer-entries.js';
import { AnswerLog } from '../streams/answer-log.js';
import {
  type AnswerEvent,
  followAnswer,
  awaitOutcome,
  type AnswerPosition,
} from '../streams/answer-stream.js';
import { LiveAnswer } from './live-answer.js';
import type { Turn, TurnOutcome } from '../model/turn.js';

const TURN: Turn = {
  spec: {
    apiKeyId: null,
    userId: 'user',
    model: 'demo/echo',
    parameters: {},
    defaultTemperature: undefined,
    instructions: null,
    retrieval: undefined,
    restart: 'once',
    cache: undefined,
  },
  conversationId: 'conversation',
  systemPrompt: null,
  hasFiles: false,
  compaction: 'none',
  parentId: 'question',
  openingQuestion: undefined,
  answerId: 'answer',
  leaseOwner: 'owner',
};

const OUTCOME: TurnOutcome = {
  status: 'complete',
  text: 'abc',
  calls: [],
  model: 'demo/echo',
  finishReason: 'stop',
  usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
  costMicroUsd: 0n,
  warning: null,
  cached: false,
  completedAt: new Date(0),
};

const redis = new RedisConnection(undefined);
const log = new AnswerLog(redis, new Broadcast(redis));
const at = (attempt: number, offset: number, calls = 0): AnswerPosition => ({ attempt, offset, calls });
const never = new AbortController().signal;

const followed = (live: LiveAnswer): Promise<AnswerEvent[]> => Array.fromAsync(followAnswer(live, never));

describe('LiveAnswer', () => {
  it('gives early and late followers the whole text and the outcome', async () => {
    const live = new LiveAnswer(TURN, log);
    live.append('a');
    const early = followed(live);
    await Promise.resolve();
    live.append('b');
    live.append('c');
    live.publishOutcome(OUTCOME);
    const late = followed(live);
    for (const events of [await early, await late]) {
      const deltas = events.flatMap((event) => (event.type === 'delta' ? [event] : []));
      expect(deltas.map(({ delta }) => delta).join('')).toBe('abc');
      expect(deltas.at(-1)?.position.offset).toBe(3);
      expect(events.at(-1)).toEqual({ type: 'ended', position: at(1, 3), outcome: OUTCOME });
    }
  });

  describe('with fake timers', () => {
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    });

    afterEach(() => {
      jest.useRealTimers();
    });

    it('shows the first piece at once, and pieces within the next 20 ms together', async () => {
      const live = new LiveAnswer(TURN, log);
      const events = followAnswer(live, never);
      const first = events.next();
      live.append('a');
      expect((await first).value).toMatchObject({ delta: 'a' });
      const second = events.next();
      live.append('b');
      jest.advanceTimersByTime(19);
      live.append('c');
      await new Promise(setImmediate);
      expect(live.snapshot().length).toBe(1);
      jest.advanceTimersByTime(1);
      expect((await second).value).toEqual({ type: 'delta', position: at(1, 3), delta: 'bc' });
      const third = events.next();
      jest.advanceTimersByTime(20);
      live.append('d');
      expect((await third).value).toMatchObject({ delta: 'd' });
    });

    it('shows tool calls that arrive out of order only at the end, in an answer without text', async () => {
      const live = new LiveAnswer(TURN, log);
      const begin = (index: number) => ({
        index,
        id: `call_${index}`,
        function: { name: 'a', arguments: '' },
      });
      live.addToolCalls([begin(0), begin(1), { index: 0, function: { arguments: '{' } }]);
      live.addToolCalls([
        { index: 0, function: { arguments: '}' } },
        { index: 1, function: { arguments: '{}' } },
      ]);
      jest.advanceTimersByTime(20);
      expect(live.snapshot()).toMatchObject({ attempt: 2, length: 0, callsLength: 0 });
      live.publishOutcome({ ...OUTCOME, text: '', calls: live.calls });
      const pieces = (await followed(live)).flatMap((event) =>
        event.type === 'call' && event.piece.type === 'arguments' ? [event.piece.delta] : [],
      );
      expect(pieces).toEqual(['{}', '{}']);
    });
  });

  it('merges the text that a slow follower has missed into one delta', async () => {
    const live = new LiveAnswer(TURN, log);
    const events = followAnswer(live, never);
    const first = events.next();
    live.append('a');
    expect((await first).value).toEqual({ type: 'delta', position: at(1, 1), delta: 'a' });
    for (let count = 0; count < 1000; count += 1) live.append('b');
    live.publishOutcome(OUTCOME);
    expect((await events.next()).value).toEqual({
      type: 'delta',
      position: at(1, 1001),
      delta: 'b'.repeat(1000),
    });
    expect((await events.next()).value).toEqual({ type: 'ended', position: at(1, 1001), outcome: OUTCOME });
  });

  it('reports a restart before the new text, and only to followers that saw the old text', async () => {
    const live = new LiveAnswer(TURN, log);
    live.append('old');
    const early = followAnswer(live, never);
    expect((await early.next()).value).toMatchObject({ delta: 'old' });
    live.restart('demo/other');
    live.append('new');
    live.publishOutcome(OUTCOME);
    const rest = await Array.fromAsync(early);
    expect(rest).toEqual([
      { type: 'restarted', position: at(2, 0), model: 'demo/other' },
      { type: 'delta', position: at(2, 3), delta: 'new' },
      { type: 'ended', position: at(2, 3), outcome: OUTCOME },
    ]);
    expect((await followed(live)).map(({ type }) => type)).toEqual(['delta', 'ended']);
  });

  it('ends a follower whose client disconnects while it waits', async () => {
    const live = new LiveAnswer(TURN, log);
    const gone = new AbortController();
    const waiting = followAnswer(live, gone.signal).next();
    gone.abort();
    expect((await waiting).done).toBe(true);
  });

  it('returns the outcome to callers that wait before the end and to callers that ask afterwards', async () => {
    const live = new LiveAnswer(TURN, log);
    const before = awaitOutcome(live, never);
    live.publishOutcome(OUTCOME);
    expect(await before).toBe(OUTCOME);
    expect(await awaitOutcome(live, never)).toBe(OUTCOME);
  });

  it('resumes after the position that a follower specifies', async () => {
    const live = new LiveAnswer(TURN, log);
    live.append('abc');
    live.publishOutcome(OUTCOME);
    expect(await Array.fromAsync(followAnswer(live, never, { attempt: 1, offset: 2, calls: 0 }))).toEqual([
      { type: 'delta', position: at(1, 3), delta: 'c' },
      { type: 'ended', position: at(1, 3), outcome: OUTCOME },
    ]);
    expect(await Array.fromAsync(followAnswer(live, never, { attempt: 1, offset: 3, calls: 0 }))).toEqual([
      { type: 'ended', position: at(1, 3), outcome: OUTCOME },
    ]);
  });

  it.each([
    { attempt: 1, offset: 4, calls: 0 },
    { attempt: 2, offset: 0, calls: 0 },
  ])('restarts a follower whose position does not exist in the answer: %j', async (from) => {
    const live = new LiveAnswer(TURN, log);
    live.append('abc');
    live.publishOutcome(OUTCOME);
    expect(await Array.fromAsync(followAnswer(live, never, from))).toEqual([
      { type: 'restarted', position: at(1, 0), model: 'demo/echo' },
      { type: 'delta', position: at(1, 3), delta: 'abc' },
      { type: 'ended', position: at(1, 3), outcome: OUTCOME },
    ]);
  });

  it('lets a follower that is ahead wait until this process catches up', async () => {
    const live = new LiveAnswer(TURN, log);
    live.append('abc');
    const events = Array.fromAsync(followAnswer(live, never, { attempt: 2, offset: 1, calls: 0 }));
    await Promise.resolve();
    live.restart('demo/other');
    live.append('de');
    live.publishOutcome({ ...OUTCOME, text: 'de' });
    expect((await events).slice(0, -1)).toEqual([{ type: 'delta', position: at(2, 2), delta: 'e' }]);
  });

  it('never splits a surrogate pair, wherever the model splits its text', async () => {
    const live = new LiveAnswer(TURN, log);
    const following = followed(live);
    const [high = '', low = ''] = '😀'.split('');
    for (const piece of ['a', high, `${low}b`, low, high, 'c', high]) {
      live.append(piece);
      expect(live.text.isWellFormed()).toBe(true);
    }
    expect(live.text).toBe('a😀b\ufffd\ufffdc');
    live.publishOutcome({ ...OUTCOME, text: live.text });
    const deltas = (await following).flatMap((event) => (event.type === 'delta' ? [event.delta] : []));
    expect(deltas.join('')).toBe('a😀b\ufffd\ufffdc');
  });

  it('sends a long text in pieces, none of which splits a surrogate pair', async () => {
    const live = new LiveAnswer(TURN, log);
    const text = 'x' + '😀'.repeat(50_000);
    live.append(text);
    live.publishOutcome(OUTCOME);
    const deltas = (await followed(live)).flatMap((event) => (event.type === 'delta' ? [event.delta] : []));
    expect(deltas.join('')).toBe(text);
    expect(deltas.length).toBeGreaterThan(5);
    for (const delta of deltas) {
      expect(delta.isWellFormed()).toBe(true);
      expect(delta.length).toBeLessThanOrEqual(16_384);
    }
  });

  it('sends tool calls in pieces, and whole at the end if they arrive out of order', async () => {
    const live = new LiveAnswer(TURN, log);
    const following = followed(live);
    const begin = (index: number) => ({ index, id: `call_${index}`, function: { name: 'a', arguments: '' } });
    const more = (index: number, text: string) => ({ index, function: { arguments: text } });
    live.append('So: ');
    live.addToolCalls([begin(0), more(0, '{"x"')]);
    live.addToolCalls([begin(1), more(1, '{}')]);
    expect(live.callsInOrder.map((call) => call.arguments)).toEqual(['{"x"', '{}']);
    await Promise.resolve();
    live.addToolCalls([more(0, ':1}')]);
    // Calls out of order must not be shown anywhere: they are in no checkpoint before the end.
    expect(live.callsInOrder).toEqual([]);
    expect(live.calls.map((call) => call.arguments)).toEqual(['{"x":1}', '{}']);
    live.publishOutcome({ ...OUTCOME, text: live.text, calls: live.calls });
    const events = await following;
    const again = events.slice(events.findIndex(({ type }) => type === 'restarted') + 1);
    expect(again.map((event) => (event.type === 'call' ? event.piece : event.type))).toMatchObject([
      'delta',
      { type: 'call', id: 'call_0' },
      { type: 'arguments', index: 0, delta: '{"x":1}' },
      { type: 'call', id: 'call_1' },
      { type: 'arguments', index: 1, delta: '{}' },
      'ended',
    ]);
  });

  it('sends long arguments in pieces, none of which splits a surrogate pair', async () => {
    const live = new LiveAnswer(TURN, log);
    const text = 'x' + '😀'.repeat(20_000);
    live.addToolCalls([{ index: 0, id: 'call_0', function: { name: 'a', arguments: text } }]);
    live.publishOutcome({ ...OUTCOME, text: '', calls: live.calls });
    const pieces = (await followed(live)).flatMap((event) =>
      event.type === 'call' && event.piece.type === 'arguments' ? [event.piece.delta] : [],
    );
    expect(pieces.join('')).toBe(text);
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
  });

  it('generates an id for a tool call if the model gives none, a duplicate, or one that is too long', () => {
    const live = new LiveAnswer(TURN, log);
    const ids = ['same', 'same', 'x'.repeat(257), ''];
    live.addToolCalls(ids.map((id, index) => ({ index, id, function: { name: 'a', arguments: '{}' } })));
    const given = live.calls.map(({ id }) => id);
    expect(given[0]).toBe('same');
    expect(new Set(given).size).toBe(4);
    for (const id of given.slice(1)) expect(id).toMatch(/^call_.{36}$/);
  });

  describe('with a log', () => {
    it('shows nothing while its lease is in doubt, and everything afterwards', async () => {
      const logged = new RecordingLog();
      const live = new LiveAnswer(TURN, logged);
      const events = followAnswer(live, never);
      live.append('a');
      expect((await events.next()).value).toMatchObject({ delta: 'a' });
      live.hold();
      live.append('b');
      const next = events.next();
      await logged.quiet();
      expect(logged.text).toBe('a');
      expect(live.snapshot().length).toBe(1);
      live.append('c');
      live.release();
      expect((await next).value).toMatchObject({ delta: 'bc', position: at(1, 3) });
      expect(logged.text).toBe('abc');
      live.publishOutcome(OUTCOME);
    });

    it('resets followers to the text that another process has stored', async () => {
      const live = new LiveAnswer(TURN, new RecordingLog());
      const events = followAnswer(live, never);
      live.append('abc');
      expect((await events.next()).value).toMatchObject({ delta: 'abc' });
      live.publishOutcome({ ...OUTCOME, text: 'ab' }, { attempt: 1, text: 'ab', calls: [] });
      expect(await Array.fromAsync(events)).toMatchObject([
        { type: 'restarted', position: at(1, 0) },
        { type: 'delta', delta: 'ab', position: at(1, 2) },
        { type: 'ended' },
      ]);
    });

    it('shows the tool calls of its row if another process has ended the answer', async () => {
      const live = new LiveAnswer(TURN, new RecordingLog());
      live.addToolCalls([{ index: 0, id: 'mine', function: { name: 'a', arguments: '{"n":1}' } }]);
      const calls = [{ id: 'theirs', name: 'a', arguments: '{}' }];
      live.publishOutcome({ ...OUTCOME, text: '', calls }, { attempt: 1, text: '', calls });
      const pieces = (await followed(live)).flatMap((event) => (event.type === 'call' ? [event.piece] : []));
      expect(pieces).toMatchObject([
        { type: 'call', id: 'theirs' },
        { type: 'arguments', delta: '{}' },
      ]);
    });

    it('returns no more text of an attempt once the next has begun, even before the restart is shown', async () => {
      const live = new LiveAnswer(TURN, new RecordingLog());
      const events = followAnswer(live, never);
      live.append('old');
      await events.next();
      live.restart('demo/other');
      live.append('new');
      const { attempt, slice, piece } = live.snapshot();
      expect([attempt, slice(0, 3), piece(0, 1)]).toEqual([1, '', undefined]);
      expect((await events.next()).value).toMatchObject({ type: 'restarted', position: at(2, 0) });
      live.publishOutcome(OUTCOME);
    });

    it('does not hold back text after a release without a hold', async () => {
      const logged = new RecordingLog();
      const live = new LiveAnswer(TURN, logged);
      live.release();
      live.append('a');
      await logged.quiet();
      expect(logged.text).toBe('a');
      live.publishOutcome(OUTCOME);
    });

    it('shows its outcome although the log responds only after the end', async () => {
      const logged = new RecordingLog();
      const live = new LiveAnswer(TURN, logged);
      const refuse = logged.hang();
      live.append('a');
      await logged.quiet();
      live.publishOutcome({ ...OUTCOME, text: 'a' });
      refuse();
      expect((await followed(live)).map(({ type }) => type)).toEqual(['delta', 'ended']);
    });

    it('rewrites entries that the log rejected before later ones, and shows their text anyway', async () => {
      const logged = new RecordingLog();
      logged.takes = false;
      const live = new LiveAnswer(TURN, logged);
      const events = followAnswer(live, never);
      live.append('a');
      expect((await events.next()).value).toMatchObject({ delta: 'a' });
      logged.takes = true;
      live.append('b');
      expect((await events.next()).value).toMatchObject({ delta: 'b' });
      expect(logged.text).toBe('ab');
      live.publishOutcome(OUTCOME);
    });

    it('writes entries in order after the log hung and then rejected all of them', async () => {
      const logged = new RecordingLog();
      const live = new LiveAnswer(TURN, logged);
      const refuse = logged.hang();
      for (const piece of ['a', 'b', 'c']) {
        live.append(piece);
        await logged.quiet();
      }
      refuse();
      await logged.quiet();
      expect(logged.text).toBe('abc');
      expect(live.snapshot().length).toBe(3);
      live.publishOutcome(OUTCOME);
    });
  });
});

/** A log that is always available. */
class RecordingLog extends AnswerLog {
  takes = true;
  private hanging: Promise<void> | undefined;
  private known: AnswerSnapshot = { attempt: 1, text: '', calls: [] };

  constructor() {
    super(redis, new Broadcast(redis));
  }

  get text(): string {
    return this.known.text;
  }

  override get enabled(): boolean {
    return true;
  }

  override async appendEntries(_answerId: string, entries: readonly LogEntry[]): Promise<boolean> {
    if (this.hanging !== undefined) {
      await this.hanging;
      return false;
    }
    if (this.takes) for (const entry of entries) this.known = applyEntry(this.known, entry) ?? this.known;
    return this.takes;
  }

  /**
   * Stops responding from now on.
   * @returns function that rejects all pending writes; later ones are accepted again
   */
  hang(): () => void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.hanging = promise;
    return () => {
      this.hanging = undefined;
      resolve(undefined);
    };
  }

  /** Resolves once all coalesced writes are done. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}
