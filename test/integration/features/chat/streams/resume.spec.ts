// Real components: the API on a socket, PostgreSQL, and the provider's protocol; the test holds back the
// provider's next word. Answers are resumed in each of their states: running, finished, failed and restarted
// on another model.
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { beginStream, idsIn, nextEvent, rejoin } from '../../../../support/answers.js';
import { type Settings, startApi } from '../../../../support/api.js';
import {
  at,
  collect,
  listAt,
  registerUser,
  send,
  textOf,
  type ApiResponse,
  type StreamEvent,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../../support/set-up.js';
import { query, until, untilSettled } from '../../../../support/stored.js';

/** Each delta is one event, and a stream may break at the end of each. */
const DELTAS = ['Grüße', ', 👩‍👩‍👧!', ' 你好', '，世界', ' 🎉🎉', '\n\nEnd 🏁'];
const TEXT = DELTAS.join('');

/** An alias of two models: if the first breaks off, the second starts over. */
const CHAIN = 'chain';

const provider = setUpProvider();
const second = setUpProvider();
const api = setUpApi(settings);
const user = setUpUser(api);

afterEach(() => {
  jest.restoreAllMocks();
});

function settings(): Settings {
  return {
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    LLM_HOSTS: JSON.stringify([{ id: 'other', base_url: second.baseUrl, models: ['model'] }]),
    MODEL_ALIASES: JSON.stringify({ [CHAIN]: ['openai/test-model', 'other/model'] }),
    LLM_MAX_RETRIES: '0',
  };
}

/** The data of the events, and below their ids. */
const dataOf = (events: readonly StreamEvent[]): unknown[] => events.map(({ data }) => data);
const idsOf = (events: readonly StreamEvent[]): (string | undefined)[] => events.map(({ id }) => id);

/** Streams a whole answer whose events are the deltas one by one. */
async function streamed(body: object = {}): Promise<StreamEvent[]> {
  const gate = gatedAnswer(DELTAS);
  provider.script(gate);
  const { first, events } = await beginStream(provider, user, body);
  const seen = [first];
  for (const delta of DELTAS) {
    gate.release();
    const event = await nextEvent(events);
    expect(at(event.data, 'delta')).toBe(delta);
    seen.push(event);
  }
  gate.finish();
  return [...seen, ...(await Array.fromAsync(events))];
}

/** Checks that the part of a stream before a break and the part after it add up to the whole. */
function expectSeamless(before: readonly StreamEvent[], after: readonly StreamEvent[]): void {
  const place = before.at(-1)?.id;
  expect(after[0]).toEqual({ id: place, data: expect.objectContaining({ delta: '' }) as unknown });
  expect(textOf(dataOf(before)) + textOf(dataOf(after))).toBe(TEXT);
  expect(after.filter(({ data }) => at(data, 'restart') !== undefined)).toEqual([]);
  const offsets = [...before, ...after.slice(1)].flatMap(({ id, data }) =>
    id !== undefined && at(data, 'finished') === false ? [Number(/^1\.(\d+)$/.exec(id)?.[1])] : [],
  );
  expect(offsets).toEqual([...new Set(offsets)].sort((one, other) => one - other));
  expect(offsets.at(-1)).toBe(TEXT.length);
}

describe('a resumed answer', () => {
  it('returns exactly the rest of a finished answer, wherever its stream broke', async () => {
    const live = await streamed();
    const { messageId } = idsIn(live[0]?.data);
    const [finished, done] = live.slice(-2);
    expect(live).toHaveLength(DELTAS.length + 3);
    for (const cut of live.slice(0, -2).keys()) {
      const before = live.slice(0, cut + 1);
      const after = await Array.fromAsync(rejoin(api.url, user, messageId, before.at(-1)?.id));
      expectSeamless(before, after);
      // Ids, usage and the time are equal too.
      expect(after.slice(-2)).toEqual([finished, done]);
    }
    const afterAll = await Array.fromAsync(rejoin(api.url, user, messageId, finished?.id));
    expect(textOf(dataOf(afterAll))).toBe('');
    expect(afterAll.slice(1)).toEqual([finished, done]);
  });

  it('returns exactly the rest while it is generated, to many clients, wherever their streams broke', async () => {
    const gate = gatedAnswer(DELTAS);
    provider.script(gate);
    const { first, events, messageId } = await beginStream(provider, user);
    const live = [first];
    const followers: { readonly before: readonly StreamEvent[]; readonly after: Promise<StreamEvent[]> }[] =
      [];
    for (const [index] of DELTAS.entries()) {
      for (const cut of live.keys()) {
        const before = live.slice(0, cut + 1);
        const follower = rejoin(api.url, user, messageId, before.at(-1)?.id);
        const opened = await nextEvent(follower);
        followers.push({ before, after: Array.fromAsync(follower).then((rest) => [opened, ...rest]) });
      }
      gate.release();
      live.push(await nextEvent(events));
      expect(live).toHaveLength(index + 2);
    }
    gate.finish();
    live.push(...(await Array.fromAsync(events)));
    expect(followers).toHaveLength(21);
    for (const { before, after } of followers) {
      expectSeamless(before, await after);
      expect((await after).slice(-2)).toEqual(live.slice(-2));
    }
  });

  it('starts from the beginning without Last-Event-ID', async () => {
    const gate = gatedAnswer(DELTAS);
    provider.script(gate);
    const { events, messageId } = await beginStream(provider, user);
    gate.release(2);
    while (!textOf(dataOf([await nextEvent(events)])).endsWith('!'));
    const during = rejoin(api.url, user, messageId);
    expect(await nextEvent(during)).toMatchObject({ id: '1.0', data: { message_id: messageId } });
    // A late client receives the earlier text as one event.
    expect(at((await nextEvent(during)).data, 'delta')).toBe(DELTAS.slice(0, 2).join(''));
    gate.finish();
    const last = (await Array.fromAsync(events)).slice(-2);
    expect((await Array.fromAsync(during)).slice(-2)).toEqual(last);
    const afterwards = await Array.fromAsync(rejoin(api.url, user, messageId, ''));
    expect(textOf(dataOf(afterwards))).toBe(TEXT);
    expect(afterwards.slice(-2)).toEqual(last);
  });

  it('has the ids of its conversation and message in the headers', async () => {
    const { conversationId, messageId } = idsIn((await streamed())[0]?.data);
    const { headers, status } = await get(messageId);
    expect(status).toBe(200);
    expect(headers.get('x-conversation-id')).toBe(conversationId);
    expect(headers.get('x-message-id')).toBe(messageId);
    expect(headers.get('idempotent-replayed')).toBeNull();
  });

  it.each([
    ['from the cache', { message: 'again', cache: true }, { cached: true }],
    ['with a warning', { message: 'broken' }, { warning: expect.any(String) }],
    ['truncated by its token limit', { message: 'long' }, { finish_reason: 'length' }],
  ])('ends with the same event as the live answer %s', async (_name, body, figures) => {
    if ('cached' in figures) {
      expect((await user.request('POST', '/api/v1/chat', body)).status).toBe(200);
    } else if ('warning' in figures) {
      provider.script({ kind: 'malformedChunk', at: 1, text: ['one', ' two'] });
    } else provider.script({ kind: 'answer', text: ['one'], finishReason: 'length' });
    const live = await Array.fromAsync(user.stream('/api/v1/chat/stream', body));
    expect(live.at(-2)?.data).toMatchObject({ finished: true, ...figures });
    const again = await Array.fromAsync(rejoin(api.url, user, idsIn(live[0]?.data).messageId));
    expect(again.slice(-2)).toEqual(live.slice(-2));
    expect(textOf(dataOf(again))).toBe(textOf(dataOf(live)));
  });

  it('comes in several pieces if it is long, each of which can be resumed in turn', async () => {
    const text = '😀'.repeat(30_000);
    provider.script({ kind: 'answer', text: [text] });
    const live = await Array.fromAsync(user.stream('/api/v1/chat/stream', { message: 'much' }));
    const { messageId } = idsIn(live[0]?.data);
    const again = await Array.fromAsync(rejoin(api.url, user, messageId));
    expect(textOf(dataOf(again))).toBe(text);
    expect(again.length).toBeGreaterThan(5);
    for (const [index, { id }] of again.slice(1, -2).entries()) {
      const rest = await Array.fromAsync(rejoin(api.url, user, messageId, id));
      expect(idsOf(rest.slice(1))).toEqual(idsOf(again.slice(index + 2)));
    }
  });
});

describe('an answer that failed', () => {
  it('repeats its error after the stored text when resumed', async () => {
    provider.script({ kind: 'cut', afterChunks: 2, text: ['four', ' five', ' six'] });
    const live = await Array.fromAsync(user.stream('/api/v1/chat/stream', { message: 'hi' }));
    expect(at(live.at(-1)?.data, 'error', 'code')).toBe('provider_error');
    const again = await Array.fromAsync(rejoin(api.url, user, idsIn(live[0]?.data).messageId));
    expect(textOf(dataOf(again))).toBe('four five');
    expect(again.at(-1)).toEqual(live.at(-1));
  });

  it('ends with service_unavailable after its text if it was interrupted by a server restart', async () => {
    const stopping = await startApi(settings());
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const owner = await registerUser(stopping.url);
    const { events, messageId } = await beginStream(provider, owner);
    gate.release();
    await nextEvent(events);
    const closed = stopping.application.close();
    stopping.application.forceShutdown();
    const live = await collect(events);
    await closed;
    const restarted = await startApi({}, stopping.database);
    const login = await send(`${restarted.url}/api/v1/auth/login`, {
      method: 'POST',
      body: { email: owner.email, password: 'a long password' },
    });
    const again = await collect(
      rejoin(restarted.url, { ...owner, token: String(at(login.body, 'access_token')) }, messageId),
    );
    expect(textOf(again)).toBe('four');
    expect(at(again.at(-1), 'error', 'code')).toBe('service_unavailable');
    expect(again.at(-1)).toEqual(live.at(-1));
    await restarted.close();
    await stopping.close();
  });

  it('ends with an error for its followers when its conversation is deleted', async () => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { conversationId, messageId } = await beginStream(provider, user);
    gate.release();
    const followers = [rejoin(api.url, user, messageId), rejoin(api.url, user, messageId, '1.0')];
    for (const follower of followers) {
      expect(dataOf([await nextEvent(follower), await nextEvent(follower)])).toMatchObject([
        { delta: '' },
        { delta: 'four' },
      ]);
    }
    expect((await user.request('DELETE', `/api/v1/conversations/${conversationId}`)).status).toBe(204);
    for (const follower of followers) {
      expect(await collect(follower)).toMatchObject([{ error: { code: 'service_unavailable' } }]);
    }
    expect((await get(messageId)).status).toBe(404);
  });
});

describe('an answer that restarts on another model', () => {
  it('discards the text of the first model for its followers, during the stream and afterwards', async () => {
    const broken = gatedAnswer(['wrong', ' words']);
    const good = gatedAnswer(['right', ' words']);
    provider.script(broken);
    second.script(good);
    const { first, events, messageId } = await beginStream(provider, user, { model: CHAIN });
    broken.release();
    const seen = await nextEvent(events);
    expect(seen).toMatchObject({ id: '1.5', data: { delta: 'wrong' } });
    const beforeIt = rejoin(api.url, user, messageId, first.id);
    await nextEvent(beforeIt);
    expect(at((await nextEvent(beforeIt)).data, 'delta')).toBe('wrong');
    const other = second.nextRequest('chat');
    broken.cut();
    await other;
    good.release();
    const restart = {
      id: '2.0',
      data: {
        restart: true,
        delta: '',
        conversation_id: idsIn(first.data).conversationId,
        message_id: messageId,
        finished: false,
        model: 'other/model',
      },
    };
    const afterIt = rejoin(api.url, user, messageId, seen.id);
    expect(idsOf([await nextEvent(afterIt)])).toEqual(['1.5']);
    for (const follower of [beforeIt, afterIt, events]) {
      expect(await nextEvent(follower)).toEqual(restart);
      expect(await nextEvent(follower)).toMatchObject({ id: '2.5', data: { delta: 'right' } });
    }
    const fresh = rejoin(api.url, user, messageId);
    expect(idsOf([await nextEvent(fresh), await nextEvent(fresh)])).toEqual(['2.0', '2.5']);
    good.finish();
    const last = (await Array.fromAsync(events)).slice(-2);
    for (const follower of [beforeIt, afterIt, fresh]) {
      expect((await Array.fromAsync(follower)).slice(-2)).toEqual(last);
    }
    const stored = await Array.fromAsync(rejoin(api.url, user, messageId, seen.id));
    expect(stored[1]).toEqual(restart);
    expect(textOf(dataOf(stored))).toBe('right words');
    expect(stored.slice(-2)).toEqual(last);
    const whole = await Array.fromAsync(rejoin(api.url, user, messageId, '2.5'));
    expect(textOf(dataOf(whole))).toBe(' words');
    expect(whole.filter(({ data }) => at(data, 'restart') !== undefined)).toEqual([]);
  });

  it.each(['1.9999', '7.3'])(
    'is what a client receives whose Last-Event-ID %s does not exist',
    async (lastEventId) => {
      const live = await streamed();
      const { messageId } = idsIn(live[0]?.data);
      const again = await Array.fromAsync(rejoin(api.url, user, messageId, lastEventId));
      expect(again[1]).toMatchObject({ id: '1.0', data: { restart: true, model: 'openai/test-model' } });
      expect(textOf(dataOf(again))).toBe(TEXT);
      expect(again.slice(-2)).toEqual(live.slice(-2));
    },
  );
});

describe('a stream that cannot be resumed', () => {
  it.each(['1', '1.', '.5', '1.5x', '-1.5', '1.5.5.5', 'abc', '1,5', '1.99999999999', '1 .5'])(
    'is refused with Last-Event-ID %j, naming the header',
    async (lastEventId) => {
      const { messageId } = idsIn((await streamed())[0]?.data);
      const { status, body } = await get(messageId, { 'last-event-id': lastEventId });
      expect(status).toBe(400);
      expect(body).toMatchObject({
        error: {
          code: 'invalid_request',
          param: 'Last-Event-ID',
          details: [{ field: 'Last-Event-ID', message: expect.any(String) as unknown }],
        },
      });
    },
  );

  it('returns 404 for another account’s answer, an unknown id or a question', async () => {
    const { conversationId, messageId } = idsIn((await streamed())[0]?.data);
    const messages = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
    const [question] = listAt(messages.body, 'data');
    const stranger = await registerUser(api.url);
    const seen = [
      await stranger.request('GET', `/api/v1/chat/stream/${messageId}`),
      await get(randomUUID()),
      await get(String(at(question, 'id'))),
    ];
    expect(seen.map(({ status, body }) => [status, at(body, 'error', 'code')])).toEqual(
      seen.map(() => [404, 'not_found']),
    );
    expect((await get('no-id')).status).toBe(400);
  });
});

describe('a follower that disconnects', () => {
  // There are two kinds of followed answers: those generated by this process, and those it knows only from
  // the row.
  it.each(['here', 'elsewhere'])('leaves no timer running if the answer is generated %s', async (where) => {
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { events, conversationId, messageId } = await beginStream(provider, user);
    gate.release();
    await nextEvent(events);
    await events.return(undefined);
    if (where === 'elsewhere') {
      gate.finish();
      await untilSettled(api.database, conversationId);
      await query(
        api.database,
        `UPDATE messages SET status = 'generating', lease_owner = gen_random_uuid(),
           lease_until = now() + interval '1 hour' WHERE id = $1`,
        [messageId],
      );
    }
    const timers = watchTimers();
    const leaving = new AbortController();
    const followers = Array.from({ length: 5 }, () =>
      rejoin(api.url, user, messageId, undefined, leaving.signal),
    );
    for (const follower of followers) {
      await nextEvent(follower);
      expect(at((await nextEvent(follower)).data, 'delta')).toMatch(/^four/);
    }
    await until('all of them to wait', () => timers.open() >= (where === 'here' ? 5 : 10));
    leaving.abort();
    await Promise.all(followers.map((follower) => expect(follower.next()).rejects.toThrow(/abort/)));
    await until('nothing to be left', () => timers.open() === 0);
    if (where === 'here') {
      gate.finish();
      await untilSettled(api.database, conversationId);
    } else await query(api.database, 'DELETE FROM conversations WHERE id = $1', [conversationId]);
  });
});

/** Intervals of the stream's pings and of the polls of a row, in milliseconds. */
const PING_MS = 15_000;
const LOOK_MS = 1_000;

/** Counts the timers that followers start in this process from now on and do not clear. */
function watchTimers(): { readonly open: () => number } {
  const intervals = jest.spyOn(globalThis, 'setInterval');
  const timeouts = jest.spyOn(globalThis, 'setTimeout');
  const ended = [jest.spyOn(globalThis, 'clearInterval'), jest.spyOn(globalThis, 'clearTimeout')];
  return {
    open: () => {
      const gone = new Set<unknown>(ended.flatMap(({ mock }) => mock.calls.map(([timer]) => timer)));
      const pings = intervals.mock.results.filter((_, call) => intervals.mock.calls[call]?.[1] === PING_MS);
      const looks = timeouts.mock.results.filter((_, call) => timeouts.mock.calls[call]?.[1] === LOOK_MS);
      return [...pings, ...looks].filter(({ value }) => !gone.has(value)).length;
    },
  };
}

function get(messageId: string, headers: Readonly<Record<string, string>> = {}): Promise<ApiResponse> {
  return send(`${api.url}/api/v1/chat/stream/${messageId}`, {
    headers: { authorization: `Bearer ${user.token}`, ...headers },
  });
}
