// Real components: two API applications on sockets, PostgreSQL, Redis, and the provider's protocol. All cases
// share the two applications, which are started once.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { beginStream, idsIn, named, nextEvent, rejoin, stop } from '../../../../support/answers.js';
import type { TestApi } from '../../../../support/api.js';
import {
  at,
  collect,
  eventsIn,
  registerUser,
  type TestUser,
  textOf,
  userWith,
} from '../../../../support/client.js';
import type { FakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { describeWithRedis, redisKeyPrefix } from '../../../../support/redis.js';
import { expectSettled, query, stored, until, untilSettled } from '../../../../support/stored.js';
import { startTwoProcesses, type TwoProcesses } from '../../../../support/two-processes.js';

// A separate file, because a process uses one kind of queue for its whole life.

const keyOf = (messageId: string): string => `parley:answer:${messageId}`;

describeWithRedis('answers of two processes that share Redis', (redisUrl) => {
  let processes: TwoProcesses;
  let provider: FakeProvider;
  let redis: Redis;
  let here: TestApi;
  let there: TestApi;
  let user: TestUser;
  let elsewhere: TestUser;

  beforeAll(async () => {
    processes = await startTwoProcesses();
    redis = new Redis(redisUrl, { keyPrefix: redisKeyPrefix(processes.here.database) });
    ({ provider, here, there } = processes);
    user = await registerUser(here.url);
    elsewhere = userWith(there.url, user.token);
  });

  afterEach(() => {
    provider.reset();
  });

  afterAll(async () => {
    await redis.quit();
    await processes.close();
  });

  /** Content, status and lease of an answer's row. */
  async function rowOf(messageId: string) {
    const [row] = await query(
      here.database,
      'SELECT content, status, lease_until::text AS lease FROM messages WHERE id = $1',
      [messageId],
    );
    return row;
  }

  /**
   * Runs the work while no checkpoint can be stored, so that the text seen meanwhile cannot come from the
   * row.
   */
  async function withoutCheckpoints(work: () => Promise<void>): Promise<void> {
    await query(
      here.database,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no checkpoint'; END $$;
       CREATE TRIGGER refuse BEFORE UPDATE ON messages FOR EACH ROW WHEN (NEW.status = 'generating')
         EXECUTE FUNCTION refuse()`,
    );
    try {
      await work();
    } finally {
      await query(here.database, 'DROP TRIGGER refuse ON messages; DROP FUNCTION refuse()');
    }
  }

  it('reach a follower on the other process as they are generated, not when a checkpoint stores them', async () => {
    const deltas = ['Grüße', ' 👩‍👩‍👧', ' 你好', ' 🎉', ' end'];
    const gate = gatedAnswer(deltas);
    provider.script(gate);
    const { first, events, messageId } = await beginStream(provider, user);
    const follower = rejoin(there.url, elsewhere, messageId);
    expect(await nextEvent(follower)).toEqual(first);
    const seen: unknown[] = [];
    const from = here.log.length;
    await withoutCheckpoints(async () => {
      for (const delta of deltas) {
        gate.release();
        const live = await nextEvent(events);
        expect(at(live.data, 'delta')).toBe(delta);
        // Text that a client has seen is already in the log, in case this process dies now.
        expect((await redis.xrevrange(keyOf(messageId), '+', '-', 'COUNT', 1))[0]?.[1]).toContain(delta);
        expect(await nextEvent(follower)).toEqual(live);
        seen.push(live);
        expect(await rowOf(messageId)).toMatchObject({ content: '', status: 'generating' });
      }
      // Checkpoints and polls of the row both run once a second, so with polling alone each delta would take
      // one.
      const tried = here.log.slice(from).filter((line) => line.includes('could not store a checkpoint'));
      expect(tried.length).toBeLessThan(deltas.length / 2);
      // A client that joins only now gets all of the text from the log, wherever its stream broke.
      for (const [index, event] of seen.entries()) {
        const late = rejoin(there.url, elsewhere, messageId, String(at(event, 'id')));
        await nextEvent(late);
        if (index < deltas.length - 1) {
          expect(at((await nextEvent(late)).data, 'delta')).toBe(deltas.slice(index + 1).join(''));
        }
        await late.return(undefined);
      }
    });
    gate.finish();
    const last = await Array.fromAsync(events);
    expect(last).toHaveLength(2);
    expect(await Array.fromAsync(follower)).toEqual(last);
  });

  it('leave no Redis subscription once their followers disconnect', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { events, messageId } = await beginStream(provider, user);
    const subscribers = async (): Promise<unknown> =>
      (await redis.pubsub('NUMSUB', redisKeyPrefix(here.database) + keyOf(messageId)))[1];
    const leaving = new AbortController();
    const followers = Array.from({ length: 3 }, () =>
      rejoin(there.url, elsewhere, messageId, undefined, leaving.signal),
    );
    await Promise.all(followers.map((follower) => nextEvent(follower)));
    await until('the process to listen', async () => (await subscribers()) === 1);
    leaving.abort();
    await until('it to listen no more', async () => (await subscribers()) === 0);
    await Promise.all(followers.map((follower) => follower.return(undefined).catch(() => undefined)));
    gate.finish();
    expect(textOf(await collect(events))).toBe('four five');
  });

  it('can be stopped through the other process, which responds after the provider’s socket is closed', async () => {
    for (const count of [0, 2]) {
      const gate = gatedAnswer(['four', ' five', ' six']);
      provider.script(gate);
      const { conversationId, messageId, upstream, events } = await beginStream(provider, user);
      gate.release(count);
      let text = '';
      while (text !== ['four', ' five'].slice(0, count).join('')) {
        text += String(at((await nextEvent(events)).data, 'delta'));
      }
      const { status, body } = await stop(elsewhere, messageId);
      const answeredAt = performance.now();
      expect(status).toBe(200);
      expect(body).toMatchObject({ content: text, status: 'interrupted', finish_reason: 'stopped' });
      const { by, at: closedAt } = await upstream.closed;
      expect(by).toBe('client');
      // Compares order, not duration.
      expect(closedAt).toBeLessThan(answeredAt);
      expect(await collect(events)).toMatchObject([{ finish_reason: 'stopped' }, '[DONE]']);
      expectSettled(await stored(here.database, conversationId));
      const next = { message: 'next', conversation_id: conversationId };
      expect((await elsewhere.request('POST', '/api/v1/chat', next)).status).toBe(200);
    }
  });

  it('stop at the next checkpoint if the stop notification from the other process was lost', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { messageId, upstream, events } = await beginStream(provider, user);
    await query(here.database, 'UPDATE messages SET stop_requested = true WHERE id = $1', [messageId]);
    gate.release();
    await nextEvent(events);
    expect((await upstream.closed).by).toBe('client');
    expect(await collect(events)).toMatchObject([{ finish_reason: 'stopped' }, '[DONE]']);
  });

  it('end for every follower when their conversation is deleted through the other process', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { conversationId, messageId, upstream, events } = await beginStream(provider, user);
    gate.release();
    await nextEvent(events);
    const follower = rejoin(there.url, elsewhere, messageId);
    await nextEvent(follower);
    expect(at((await nextEvent(follower)).data, 'delta')).toBe('four');
    const path = `/api/v1/conversations/${conversationId}`;
    expect((await elsewhere.request('DELETE', path)).status).toBe(204);
    expect((await upstream.closed).by).toBe('client');
    for (const reader of [events, follower]) {
      expect(await collect(reader)).toMatchObject([{ error: { code: 'service_unavailable' } }]);
    }
  });

  it('are generated once if ten equal requests reach both processes at once, as JSON and as a stream', async () => {
    for (const path of ['/api/v1/chat', '/api/v1/chat/stream']) {
      const gate = gatedAnswer(['four', ' five']);
      provider.setDefault(gate);
      const before = provider.requests.length;
      const asked = provider.nextRequest('chat');
      const key = randomUUID();
      const answering = Array.from({ length: 10 }, (_, index) =>
        named(index % 2 === 0 ? here.url : there.url, user, path, key, { message: 'hi' }),
      );
      await asked;
      gate.finish();
      const answers = await Promise.all(answering);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const replays = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true');
      expect(replays).toHaveLength(9);
      const whole = answers.map(({ body }) => {
        if (path === '/api/v1/chat') return body;
        const data = eventsIn(body).map((event) => event.data);
        return { text: textOf(data), last: data.slice(-2) };
      });
      expect(whole).toEqual(whole.map(() => whole[0]));
      expect(provider.requests.length).toBe(before + 1);
    }
  });

  it('are followed to the end if their log is deleted midway, with the lost text sent after the next checkpoint', async () => {
    const gate = gatedAnswer(['four', ' five', ' six', ' seven', ' eight']);
    provider.script(gate);
    const { events, messageId } = await beginStream(provider, user);
    const early = rejoin(there.url, elsewhere, messageId);
    await nextEvent(early);
    gate.release();
    await nextEvent(events);
    expect(at((await nextEvent(early)).data, 'delta')).toBe('four');
    expect(await redis.del(keyOf(messageId))).toBe(1);
    gate.release();
    await nextEvent(events);
    expect(at((await nextEvent(early)).data, 'delta')).toBe(' five');
    // This follower knows neither the lost text nor, perhaps, a checkpoint that contains it.
    const late = rejoin(there.url, elsewhere, messageId);
    await nextEvent(late);
    gate.release();
    await nextEvent(events);
    let text = '';
    while (text !== 'four five six') text += String(at((await nextEvent(late)).data, 'delta'));
    expect(at((await nextEvent(early)).data, 'delta')).toBe(' six');
    expect((await rowOf(messageId))?.['status']).toBe('generating');
    gate.finish();
    const rest = await collect(events);
    expect(textOf(rest)).toBe(' seven eight');
    for (const reader of [early, late]) {
      const followed = await collect(reader);
      expect(textOf(followed)).toBe(' seven eight');
      expect(followed.slice(-2)).toEqual(rest.slice(-2));
    }
  });

  it('reach a late follower before they end if their log was lost and they never pause', async () => {
    const words = Array.from({ length: 400 }, (_, index) => ` ${String(index)}`);
    const gate = gatedAnswer(words);
    provider.script(gate);
    const { events, messageId } = await beginStream(provider, user);
    gate.release();
    await nextEvent(events);
    expect(await redis.del(keyOf(messageId))).toBe(1);
    const follower = rejoin(there.url, elsewhere, messageId);
    await nextEvent(follower);
    // Sends each word as soon as the previous one is in the log, so there is never a second without one.
    const enough = new AbortController();
    let said = 1;
    const talk = (async () => {
      for (; said < words.length && !enough.signal.aborted; said += 1) {
        gate.release();
        await nextEvent(events);
      }
    })();
    let text = '';
    while (text.length < 100) text += String(at((await nextEvent(follower)).data, 'delta'));
    enough.abort();
    await talk;
    expect(words.join('').startsWith(text)).toBe(true);
    expect(said).toBeLessThan(words.length);
    gate.finish();
    const rest = await collect(follower);
    expect(text + textOf(rest)).toBe(words.join(''));
    expect((await collect(events)).slice(-2)).toEqual(rest.slice(-2));
  });

  it('are recovered with the text that the log has beyond the row', async () => {
    const cases: readonly {
      readonly row: string;
      readonly log: readonly [number, string][];
      readonly text: string;
    }[] = [
      {
        row: 'four',
        log: [
          [0, 'four five'],
          [9, ' six'],
        ],
        text: 'four five six',
      },
      { row: 'four five six', log: [[0, 'four']], text: 'four five six' },
      // The start of the log is lost.
      {
        row: 'four five',
        log: [
          [4, ' five six'],
          [13, ' seven'],
        ],
        text: 'four five six seven',
      },
      { row: 'four', log: [[9, ' six']], text: 'four' },
    ];
    for (const { row, log, text } of cases) {
      const answer = await user.request('POST', '/api/v1/chat', { message: 'hi' });
      const { conversationId, messageId } = idsIn(answer.body);
      await query(here.database, 'DELETE FROM usage_records WHERE conversation_id = $1', [conversationId]);
      await query(here.database, 'UPDATE conversations SET tokens_total = 0 WHERE id = $1', [conversationId]);
      await redis.del(keyOf(messageId));
      for (const [start, delta] of log) {
        await redis.xadd(keyOf(messageId), '*', 'attempt', '1', 'start', String(start), 'delta', delta);
      }
      await redis.expire(keyOf(messageId), 60);
      // The state that a process killed after a checkpoint leaves.
      await query(
        here.database,
        `UPDATE messages SET status = 'generating', content = $2, finish_reason = NULL, completed_at = NULL,
           lease_owner = gen_random_uuid(), lease_until = now() - interval '1 second' WHERE id = $1`,
        [messageId, row],
      );
      const { status, body } = await stop(elsewhere, messageId);
      expect([status, at(body, 'status'), at(body, 'content')]).toEqual([200, 'interrupted', text]);
      expectSettled(await stored(here.database, conversationId));
      const followed = await collect(rejoin(here.url, user, messageId));
      expect(textOf(followed)).toBe(text);
    }
  });

  it('can be resumed on another process if the followed one shuts down and tells its clients to', async () => {
    const leaving = await processes.another();
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { events, messageId } = await beginStream(provider, user);
    const follower = rejoin(leaving.url, user, messageId);
    await nextEvent(follower);
    gate.release();
    const seen = await nextEvent(follower);
    expect(at(seen.data, 'delta')).toBe('four');
    await leaving.close();
    expect(await collect(follower)).toEqual([
      {
        error: expect.objectContaining({
          code: 'service_unavailable',
          message: expect.stringContaining('Last-Event-ID'),
        }),
      },
    ]);
    const again = rejoin(there.url, elsewhere, messageId, seen.id);
    gate.finish();
    expect(textOf(await collect(again))).toBe(' five');
    expect(textOf(await collect(events))).toBe('four five');
  });

  it('stay in Redis while they run and at most 60 seconds longer', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { conversationId, events, messageId } = await beginStream(provider, user);
    gate.release();
    await nextEvent(events);
    const running = await redis.ttl(keyOf(messageId));
    expect(running).toBeGreaterThan(60);
    expect(running).toBeLessThanOrEqual(3600);
    gate.finish();
    await collect(events);
    await untilSettled(here.database, conversationId);
    await until('the log to be closed', async () => {
      const left = await redis.ttl(keyOf(messageId));
      return left > 0 && left <= 60;
    });
    // No key of an answer, or of its rate limits, stays for good.
    // KEYS takes and returns full names; all other commands take them without the prefix.
    const prefix = redisKeyPrefix(here.database);
    const names = await redis.keys(`${prefix}*`);
    const keys = names.map((name) => name.slice(prefix.length));
    expect(keys).toContain(keyOf(messageId));
    // Each queue has one permanent entry that describes it.
    const ours = keys.filter((key) => !/^bull:[\w-]+:meta$/.test(key));
    const lives = await Promise.all(ours.map(async (key) => ({ key, ttl: await redis.ttl(key) })));
    expect(lives.filter(({ ttl }) => ttl === -1)).toEqual([]);
  });
});
