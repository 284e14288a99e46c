import { describe, expect, it } from '@jest/globals';
import { LiveTurn, type TurnEvent } from './live-turn.js';
import type { Turn, TurnOutcome } from './turn.js';

const TURN: Turn = {
  apiKeyId: null,
  userId: 'user',
  conversationId: 'conversation',
  systemPrompt: null,
  questionId: 'question',
  answerId: 'answer',
  leaseOwner: 'owner',
  model: 'demo/echo',
  temperature: undefined,
  maxTokens: undefined,
  cache: false,
};

const OUTCOME: TurnOutcome = {
  status: 'complete',
  text: 'abc',
  model: 'demo/echo',
  finishReason: 'stop',
  usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
  costMicroUsd: 0n,
  warning: null,
  cached: false,
  completedAt: new Date(0),
};

const follow = (live: LiveTurn): Promise<TurnEvent[]> =>
  Array.fromAsync(live.follow(new AbortController().signal));

describe('LiveTurn', () => {
  it('gives every follower the whole text and the outcome, whenever it came', async () => {
    const live = new LiveTurn(TURN);
    live.append('a');
    const early = follow(live);
    await Promise.resolve();
    live.append('b');
    live.append('c');
    live.end(OUTCOME);
    const late = follow(live);
    for (const events of [await early, await late]) {
      const deltas = events.flatMap((event) => (event.type === 'delta' ? [event] : []));
      expect(deltas.map(({ delta }) => delta).join('')).toBe('abc');
      expect(deltas.at(-1)?.end).toBe(3);
      expect(events.at(-1)).toEqual({ type: 'ended', attempt: 1, outcome: OUTCOME });
    }
  });

  it('merges what a slow follower has missed into one delta', async () => {
    const live = new LiveTurn(TURN);
    const events = live.follow(new AbortController().signal);
    const first = events.next();
    live.append('a');
    expect((await first).value).toEqual({ type: 'delta', attempt: 1, delta: 'a', end: 1 });
    for (let count = 0; count < 1000; count += 1) live.append('b');
    live.end(OUTCOME);
    expect((await events.next()).value).toEqual({
      type: 'delta',
      attempt: 1,
      delta: 'b'.repeat(1000),
      end: 1001,
    });
    expect((await events.next()).value).toEqual({ type: 'ended', attempt: 1, outcome: OUTCOME });
  });

  it('tells a restart before the new text, and only to those who saw the old one', async () => {
    const live = new LiveTurn(TURN);
    live.append('old');
    const early = live.follow(new AbortController().signal);
    expect((await early.next()).value).toMatchObject({ delta: 'old' });
    live.restart('demo/other');
    live.append('new');
    live.end(OUTCOME);
    const rest = await Array.fromAsync(early);
    expect(rest).toEqual([
      { type: 'restarted', attempt: 2, model: 'demo/other' },
      { type: 'delta', attempt: 2, delta: 'new', end: 3 },
      { type: 'ended', attempt: 2, outcome: OUTCOME },
    ]);
    expect((await follow(live)).map(({ type }) => type)).toEqual(['delta', 'ended']);
  });

  it('ends a follower that leaves while it waits', async () => {
    const live = new LiveTurn(TURN);
    const gone = new AbortController();
    const waiting = live.follow(gone.signal).next();
    gone.abort();
    expect((await waiting).done).toBe(true);
  });

  it('tells the outcome to whoever waits for it, before and after', async () => {
    const live = new LiveTurn(TURN);
    const before = live.outcome();
    live.end(OUTCOME);
    expect(await before).toBe(OUTCOME);
    expect(await live.outcome()).toBe(OUTCOME);
  });
});
