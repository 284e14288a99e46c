// Real components: the API on a socket, PostgreSQL, and the provider's protocol; the test holds back the
// provider's next word. Each block covers one event in the life of a turn, such as a lost client, a second
// turn, a deletion or a shutdown.
import { request as openRequest, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { type BegunStream, beginStream, nextEvent } from '../../../../support/answers.js';
import { asking, type Settings, startApi, type TestApi } from '../../../../support/api.js';
import {
  at,
  collect,
  registerUser,
  textOf,
  type ApiResponse,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer, type GatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { itWithoutRedis, testRedisUrl } from '../../../../support/redis.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { expectSettled, query, stored, until, untilSettled } from '../../../../support/stored.js';

const provider = setUpProvider();
const api = setUpApi(settings);

afterEach(() => {
  jest.restoreAllMocks();
});

/** Deadlines of an answer, in milliseconds. No other timer uses these values: sweeps have one of a minute. */
const FIRST_TOKEN_MS = 60_013;
const TOTAL_MS = 600_013;

function settings(): Settings {
  return {
    ...asking(provider),
    LLM_FIRST_TOKEN_TIMEOUT_MS: String(FIRST_TOKEN_MS),
    LLM_TOTAL_TIMEOUT_MS: String(TOTAL_MS),
  };
}

function start(more: Settings = {}): Promise<TestApi> {
  return startApi({ ...settings(), ...more });
}

/** Starts a conversation with one complete turn and returns its id. */
async function beginConversation(user: TestUser, body: object = {}): Promise<string> {
  const answer = await user.request('POST', '/api/v1/chat', { message: 'first', ...body });
  expect(answer.status).toBe(200);
  return String(at(answer.body, 'conversation_id'));
}

/** Returns the messages of the n-th request to the provider since the reset. */
function messagesSentIn(chatRequest: number): unknown {
  return at(provider.requests.filter(({ route }) => route === 'chat')[chatRequest]?.body, 'messages');
}

/** Counts the clients that disconnected according to the server's log, from the given line on. */
function leaversSince({ log }: TestApi, from: number): number {
  return log.slice(from).filter((line) => /\/api\/v1\/chat.* closed by the client/.test(line)).length;
}

/** Interval of the stream's pings, in milliseconds. No other interval uses this value. */
const PING_MS = 15_000;

/** Counts the pings and deadlines that this process starts from now on and does not clear. */
function watchTimers(): { readonly open: () => number; readonly stop: () => void } {
  const intervals = jest.spyOn(globalThis, 'setInterval');
  const timeouts = jest.spyOn(globalThis, 'setTimeout');
  const ended = [jest.spyOn(globalThis, 'clearInterval'), jest.spyOn(globalThis, 'clearTimeout')];
  return {
    open: () => {
      const pings = intervals.mock.results.filter((_, call) => intervals.mock.calls[call]?.[1] === PING_MS);
      const deadlines = timeouts.mock.results.filter((_, call) =>
        [FIRST_TOKEN_MS, TOTAL_MS].includes(timeouts.mock.calls[call]?.[1] ?? 0),
      );
      // Otherwise the test would count nothing.
      expect(pings.length).toBeGreaterThan(0);
      expect(deadlines.length).toBeGreaterThan(0);
      const gone = new Set<unknown>(ended.flatMap(({ mock }) => mock.calls.map(([timer]) => timer)));
      return [...pings, ...deadlines].filter(({ value }) => !gone.has(value)).length;
    },
    stop: () => {
      for (const spy of [intervals, timeouts, ...ended]) spy.mockRestore();
    },
  };
}

describe('a client that disconnects', () => {
  it('does not stop the answer that it was streaming', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['Hel', 'lo ', 'there']);
    provider.script(gate);
    const { conversationId, messageId, events } = await beginStream(provider, user, { message: 'hi' });
    gate.release();
    expect(at((await nextEvent(events)).data, 'delta')).toBe('Hel');
    const from = api.log.length;
    await events.return(undefined);
    await until('the server to see it leave', () => leaversSince(api, from) === 1);
    gate.finish();

    const conversation = await untilSettled(api.database, conversationId);
    expect(conversation.messages).toMatchObject([
      { content: 'hi', status: 'complete' },
      { id: messageId, content: 'Hello there', status: 'complete', finish_reason: 'stop' },
    ]);
    expect(conversation.usage).toMatchObject([{ outcome: 'completed', estimated: false }]);
    expectSettled(conversation);
  });

  it('does not stop the answer that it was awaiting as JSON', async () => {
    const user = await registerUser(api.url);
    const conversation_id = await beginConversation(user);
    const gate = gatedAnswer(['Hel', 'lo']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const leaving = new AbortController();
    const left = fetch(`${api.url}/api/v1/chat`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'hi', conversation_id }),
      signal: leaving.signal,
    });
    await asked;
    const from = api.log.length;
    leaving.abort();
    await expect(left).rejects.toThrow(/aborted/);
    await until('the server to see it leave', () => leaversSince(api, from) === 1);
    gate.finish();
    const conversation = await untilSettled(api.database, conversation_id);
    expect(conversation.messages.at(-1)).toMatchObject({ content: 'Hello', status: 'complete' });
    expectSettled(conversation);
  });

  it('before its stream begins leaves no timer running, and its answer is completed', async () => {
    const user = await registerUser(api.url);
    const conversations = await Promise.all(Array.from({ length: 6 }, () => beginConversation(user)));
    const timers = watchTimers();
    const from = api.log.length;
    const leaving = new AbortController();
    const whileNothingCanBegin = async (): Promise<void> => {
      const streams = conversations.map((conversation_id) =>
        collect(user.stream('/api/v1/chat/stream', { message: 'hi', conversation_id }, leaving.signal)),
      );
      await until('the turns to wait for their rows', async () => {
        const [row] = await query(
          api.database,
          `SELECT count(*)::int AS waiting FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return Number(row?.['waiting']) >= conversations.length;
      });
      leaving.abort();
      const ends = await Promise.allSettled(streams);
      expect(ends.map(({ status }) => status)).toEqual(conversations.map(() => 'rejected'));
      await until('the server to see them leave', () => leaversSince(api, from) === conversations.length);
    };
    await holdingRows(api, conversations, whileNothingCanBegin);

    for (const id of conversations) {
      const conversation = await until('the whole turn', async () => {
        const seen = await stored(api.database, id);
        return seen.messages[3]?.['status'] === 'complete' && seen;
      });
      expect(conversation.messages.slice(2).map(({ content }) => content)).toEqual(['hi', 'hi']);
      expectSettled(conversation);
    }
    // The deadline of an answer ends after its row is stored. Redis clients have timers for their whole life.
    if (testRedisUrl === undefined) await until('the timers to be gone', () => timers.open() === 0);
    timers.stop();
  });
});

/** Runs the work while these conversations are locked. */
async function holdingRows(
  { database }: TestApi,
  conversationIds: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM conversations WHERE id = ANY($1) FOR UPDATE', [conversationIds]);
    await work();
  } finally {
    await holder.end();
  }
}

describe('a second turn in a busy conversation', () => {
  it.each(['/api/v1/chat', '/api/v1/chat/stream'])(
    'is refused with 409 on %s and stores nothing',
    async (route) => {
      const user = await registerUser(api.url);
      const conversation_id = await beginConversation(user);
      const gate = gatedAnswer(['answer']);
      provider.script(gate);
      const { messageId, events } = await beginStream(provider, user, {
        message: 'running',
        conversation_id,
      });
      const before = await stored(api.database, conversation_id);

      const refusal = await user.request('POST', route, {
        message: 'too early',
        system_prompt: 'Forget everything.',
        conversation_id,
      });
      expect(refusal.status).toBe(409);
      expect(refusal.body).toEqual({
        error: {
          code: 'conversation_busy',
          message: expect.stringContaining(messageId) as unknown,
          type: 'invalid_request_error',
          param: 'conversation_id',
        },
        request_id: refusal.headers.get('x-request-id'),
      });
      expect(refusal.headers.get('retry-after')).toBe('2');
      expect(refusal.headers.get('x-should-retry')).toBe('false');
      expect(await stored(api.database, conversation_id)).toEqual(before);

      gate.finish();
      expect(textOf(await collect(events))).toBe('answer');
      const next = await user.request('POST', route, { message: 'now', conversation_id });
      expect(next.status).toBe(200);
      expectSettled(await stored(api.database, conversation_id));
    },
  );

  it('is refused even if twenty turns arrive at once: exactly one of them runs', async () => {
    const user = await registerUser(api.url);
    const conversation_id = await beginConversation(user);
    const gate = gatedAnswer(['the one answer']);
    provider.setDefault(gate);
    const refused: ApiResponse[] = [];
    const allButOne = Promise.withResolvers<null>();
    const turns = Array.from({ length: 20 }, async (_, index) => {
      const response = await user.request('POST', '/api/v1/chat', {
        message: `question ${index}`,
        conversation_id,
      });
      if (response.status !== 200 && refused.push(response) === 19) allButOne.resolve(null);
      return response;
    });
    await allButOne.promise;
    gate.finish();
    const responses = await Promise.all(turns);

    expect(refused.map(({ status, body }) => [status, at(body, 'error', 'code')])).toEqual(
      Array.from({ length: 19 }, () => [409, 'conversation_busy']),
    );
    const winner = responses.findIndex(({ status }) => status === 200);
    const conversation = await stored(api.database, conversation_id);
    expect(conversation.messages.map(({ content }) => content)).toEqual([
      'first',
      'first',
      `question ${winner}`,
      'the one answer',
    ]);
    expect(provider.requests.filter(({ route }) => route === 'chat')).toHaveLength(2);
    expectSettled(conversation);
  });

  it('does not affect other conversations: twenty new ones at once are all answered', async () => {
    const user = await registerUser(api.url);
    const started = Promise.withResolvers<null>();
    const gate = gatedAnswer(['same']);
    provider.setDefault(gate);
    let asked = 0;
    for (let index = 0; index < 20; index += 1) {
      void provider.nextRequest('chat').then(() => {
        asked += 1;
        if (asked === 20) started.resolve(null);
      });
    }
    const turns = Array.from({ length: 20 }, (_, index) =>
      user.request('POST', '/api/v1/chat', { message: `question ${index}` }),
    );
    // All turns run at the same time: none holds a connection of the pool of ten while its model answers.
    await started.promise;
    gate.finish();
    const responses = await Promise.all(turns);
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    const ids = responses.map(({ body }) => String(at(body, 'conversation_id')));
    expect(new Set(ids).size).toBe(20);
    for (const [index, id] of ids.entries()) {
      const conversation = await stored(api.database, id);
      expect(conversation.messages.map(({ content }) => content)).toEqual([`question ${index}`, 'same']);
      expectSettled(conversation);
    }
  });
});

describe('the context sent to the model', () => {
  it('is the current system prompt and the conversation in order; a new prompt replaces the old one permanently', async () => {
    const user = await registerUser(api.url);
    const conversation_id = await beginConversation(user, { message: 'one', system_prompt: 'Be brief.' });
    const ask = async (message: string, more: object = {}): Promise<void> => {
      const { status } = await user.request('POST', '/api/v1/chat', { message, conversation_id, ...more });
      expect(status).toBe(200);
    };
    await ask('two');
    await ask('three', { system_prompt: 'Be verbose.' });
    await ask('four');
    const turn = (text: string): object[] => [
      { role: 'user', content: text },
      { role: 'assistant', content: text },
    ];
    const question = (content: string): object => ({ role: 'user', content });
    const brief = { role: 'system', content: 'Be brief.' };
    const verbose = { role: 'system', content: 'Be verbose.' };
    expect(messagesSentIn(0)).toEqual([brief, question('one')]);
    expect(messagesSentIn(1)).toEqual([brief, ...turn('one'), question('two')]);
    expect(messagesSentIn(2)).toEqual([verbose, ...turn('one'), ...turn('two'), question('three')]);
    expect(messagesSentIn(3)).toEqual([
      verbose,
      ...turn('one'),
      ...turn('two'),
      ...turn('three'),
      question('four'),
    ]);
    const shown = await user.request('GET', `/api/v1/conversations/${conversation_id}`);
    expect(at(shown.body, 'system_prompt')).toBe('Be verbose.');
  });

  it('is accompanied by the requested temperature, model and token limit', async () => {
    const user = await registerUser(api.url);
    await beginConversation(user, { temperature: 0, max_tokens: 9, model: 'openai/org/other-model' });
    const [asked] = provider.requests;
    expect(asked?.body).toMatchObject({ model: 'org/other-model', temperature: 0, max_tokens: 9 });
    expect(asked?.body).not.toHaveProperty('max_completion_tokens');
  });

  it('includes the text of a failed answer, but no answer without text', async () => {
    const user = await registerUser(api.url);
    const conversation_id = await beginConversation(user);
    const ask = (message: string): Promise<ApiResponse> =>
      user.request('POST', '/api/v1/chat', { message, conversation_id });
    provider.script({ kind: 'error', status: 500 }, { kind: 'cut', afterChunks: 1, text: ['half'] });
    expect((await ask('second')).status).toBe(502);
    expect((await ask('third')).status).toBe(502);
    expect((await ask('fourth')).status).toBe(200);
    expect(messagesSentIn(3)).toEqual([
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'first' },
      { role: 'user', content: 'second\n\nthird' },
      { role: 'assistant', content: 'half' },
      { role: 'user', content: 'fourth' },
    ]);
  });

  describe('with a limit', () => {
    let narrow: TestApi;

    const contentsOf = (chatRequest: number): unknown[] => {
      const sent = messagesSentIn(chatRequest);
      return Array.isArray(sent) ? sent.map((message) => at(message, 'content')) : [];
    };

    afterEach(async () => {
      await narrow.close();
    });

    it.each([
      ['1', ['5']],
      // An answer is left out together with its question if the question does not fit.
      ['2', ['5']],
      ['3', ['4', '4', '5']],
      ['6', ['3', '3', '4', '4', '5']],
      ['9', ['1', '1', '2', '2', '3', '3', '4', '4', '5']],
    ])('of %s messages contains the newest ones, and always the question', async (limit, expected) => {
      narrow = await start({ CONTEXT_MAX_MESSAGES: limit });
      const user = await registerUser(narrow.url);
      const conversation_id = await beginConversation(user, { message: '1', system_prompt: 'Stay.' });
      for (const message of ['2', '3', '4', '5']) {
        await user.request('POST', '/api/v1/chat', { message, conversation_id });
      }
      expect(contentsOf(4)).toEqual(['Stay.', ...expected]);
    });

    it('of 256 tokens contains the newest messages, and the question even if it alone exceeds the limit', async () => {
      narrow = await start({ CONTEXT_MAX_TOKENS: '256' });
      const user = await registerUser(narrow.url);
      // A word is one token here, and each message adds four: 64 in total.
      const text = (word: string, tokens = 60): string =>
        Array.from({ length: tokens }, () => word).join(' ');
      const conversation_id = await beginConversation(user, { message: text('one') });
      const ask = async (message: string, more: object = {}): Promise<void> => {
        await user.request('POST', '/api/v1/chat', { message, conversation_id, ...more });
      };
      await ask(text('two'));
      await ask(text('six'), { system_prompt: text('sir') });
      await ask(text('ten', 300));
      const [one, two, six] = [text('one'), text('two'), text('six')];
      const counts = await query(
        narrow.database,
        'SELECT token_count FROM messages WHERE conversation_id = $1 ORDER BY position LIMIT 6',
        [conversation_id],
      );
      expect(counts.map(({ token_count }) => token_count)).toEqual([60, 60, 60, 60, 60, 60]);
      // Three messages of 64 and the third turn's system prompt of 64 add up to exactly 256.
      expect(contentsOf(1)).toEqual([one, one, two]);
      expect(contentsOf(2)).toEqual([text('sir'), two, two, six]);
      expect(contentsOf(3)).toEqual([text('sir'), text('ten', 300)]);
      const messages = await query(
        narrow.database,
        'SELECT count(*)::int AS count FROM messages WHERE conversation_id = $1',
        [conversation_id],
      );
      expect(messages).toEqual([{ count: 8 }]);
    });
  });
});

describe('deleting a conversation while an answer is generated', () => {
  it('closes the provider’s socket, ends the stream with an error, and preserves the usage record', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five', ' six']);
    provider.script(gate);
    const { conversationId, messageId, upstream, events } = await beginStream(provider, user, {
      message: 'one two three',
    });
    gate.release(2);
    const deltas = [await nextEvent(events)];
    if (at(deltas[0]?.data, 'delta') === 'four') deltas.push(await nextEvent(events));
    expect(textOf(deltas.map(({ data }) => data))).toBe('four five');

    const deleted = await user.request('DELETE', `/api/v1/conversations/${conversationId}`);
    expect(deleted.status).toBe(204);
    expect(await upstream.closed).toMatchObject({ by: 'client' });
    const rest = await collect(events);
    expect(rest).toEqual([
      {
        error: {
          code: 'service_unavailable',
          message: expect.stringContaining('the conversation was deleted') as unknown,
          type: 'api_error',
          param: null,
        },
      },
    ]);
    expect(await stored(api.database, conversationId)).toEqual({
      conversation: undefined,
      messages: [],
      usage: [],
    });
    const usage = await query(api.database, 'SELECT * FROM usage_records WHERE call_id = $1', [messageId]);
    expect(usage).toMatchObject([
      { conversation_id: null, outcome: 'cancelled', input_tokens: 7, output_tokens: 2, estimated: true },
    ]);
    const gone = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
    expect(gone.status).toBe(404);
  });

  it('returns a 503 to a client that awaits the answer as JSON', async () => {
    const user = await registerUser(api.url);
    const conversation_id = await beginConversation(user);
    provider.script(gatedAnswer(['never']));
    const asked = provider.nextRequest('chat');
    const answer = user.request('POST', '/api/v1/chat', { message: 'hi', conversation_id });
    await asked;
    await user.request('DELETE', `/api/v1/conversations/${conversation_id}`);
    const { status, headers, body } = await answer;
    expect([status, at(body, 'error', 'code')]).toEqual([503, 'service_unavailable']);
    expect(headers.get('x-should-retry')).toBe('false');
  });
});

describe('while an answer is generated', () => {
  it('its text so far is stored within two seconds and returned', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['Once', ' upon', ' a time']);
    provider.script(gate);
    const { conversationId, events } = await beginStream(provider, user, { message: 'a story' });
    for (const text of ['Once', 'Once upon']) {
      gate.release();
      await nextEvent(events);
      const { messages } = await until(
        `'${text}' to be stored`,
        async () => {
          const conversation = await stored(api.database, conversationId);
          return conversation.messages[1]?.['content'] === text && conversation;
        },
        2_500,
      );
      expect(messages[1]).toMatchObject({ status: 'generating', error_code: null, finish_reason: null });
    }
    const path = `/api/v1/conversations/${conversationId}/messages`;
    expect(at((await user.request('GET', path)).body, 'data', 1)).toMatchObject({
      content: 'Once upon',
      status: 'generating',
      usage: null,
    });
    gate.finish();
    expect(textOf(await collect(events))).toBe(' a time');
    expectSettled(await stored(api.database, conversationId));
  });

  it('its lease is renewed even if the model sends nothing', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['at last']);
    provider.script(gate);
    const { conversationId, events } = await beginStream(provider, user, { message: 'think' });
    const secondsLeft = async (): Promise<{ until: unknown; left: number }> => {
      const [row] = await query(
        api.database,
        `SELECT lease_until AS until, extract(epoch FROM lease_until - now())::float AS left
         FROM messages WHERE conversation_id = $1 AND status = 'generating'`,
        [conversationId],
      );
      return { until: row?.['until'], left: Number(row?.['left']) };
    };
    const first = await secondsLeft();
    expect(first.left).toBeGreaterThan(10);
    expect(first.left).toBeLessThanOrEqual(15);
    const renewed = await until('a new lease', async () => {
      const lease = await secondsLeft();
      return String(lease.until) !== String(first.until) && lease;
    });
    expect(renewed.left).toBeGreaterThan(13);
    gate.finish();
    expect(textOf(await collect(events))).toBe('at last');
  });
});

describe('shutting down the application', () => {
  it('by force stores running answers as interrupted with their text, and ends their streams with an error', async () => {
    const stopping = await start();
    const user = await registerUser(stopping.url);
    const gate = gatedAnswer(['four', ' five', ' six']);
    provider.script(gate);
    const { conversationId, messageId, upstream, events } = await beginStream(provider, user, {
      message: 'one two three',
    });
    gate.release();
    await nextEvent(events);
    const closed = stopping.application.close();
    stopping.application.forceShutdown();
    const rest = await collect(events);
    expect(rest).toMatchObject([{ error: { code: 'service_unavailable', type: 'api_error', param: null } }]);
    expect(await upstream.closed).toMatchObject({ by: 'client' });
    await closed;

    const conversation = await stored(stopping.database, conversationId);
    expect(conversation.messages[1]).toMatchObject({
      id: messageId,
      status: 'interrupted',
      content: 'four',
      error_code: 'interrupted',
    });
    expect(conversation.usage).toMatchObject([
      { outcome: 'cancelled', input_tokens: 7, output_tokens: 1, estimated: true },
    ]);
    expectSettled(conversation);
    await stopping.close();
  });

  it('lets running answers finish, and refuses new requests meanwhile with 503', async () => {
    const stopping = await start();
    const user = await registerUser(stopping.url);
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { conversationId, events } = await beginStream(provider, user, { message: 'one two three' });
    const closed = stopping.application.close();
    const refused = await user.request('POST', '/api/v1/chat', { message: 'too late' });
    expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([503, 'service_unavailable']);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(refused.headers.get('connection')).toBe('close');
    gate.finish();
    const rest = await collect(events);
    expect(textOf(rest)).toBe('four five');
    expect(at(rest.at(-2), 'finished')).toBe(true);
    expect(rest.at(-1)).toBe('[DONE]');
    await closed;
    const conversation = await stored(stopping.database, conversationId);
    expect(conversation.messages[1]).toMatchObject({ status: 'complete', content: 'four five' });
    expectSettled(conversation);
    const [count] = await query(stopping.database, 'SELECT count(*)::int AS turns FROM conversations');
    expect(count).toEqual({ turns: 1 });
    await stopping.close();
  });
});

describe('a client that reads slowly', () => {
  it('receives the whole answer in pieces of a bounded size, and does not delay it', async () => {
    const user = await registerUser(api.url);
    // More data than the sockets in between buffer.
    const piece = 'x'.repeat(4_000);
    const pieces = Array.from({ length: 4_000 }, (_, index) => `${index} ${piece}\n`);
    provider.script({ kind: 'answer', text: pieces });
    const outgoing = openRequest(`${api.url}/api/v1/chat/stream`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
    });
    outgoing.end(JSON.stringify({ message: 'much' }));
    const response = await answered;
    response.pause();

    const conversationId = String(response.headers['x-conversation-id']);
    await until('the end of the answer', async () => {
      const [row] = await query(
        api.database,
        `SELECT status FROM messages WHERE conversation_id = $1 AND role = 'assistant'`,
        [conversationId],
      );
      return row?.['status'] === 'complete';
    });

    response.setEncoding('utf8');
    let body = '';
    for await (const part of response) body += String(part);
    const frames = body.split('\n\n').slice(0, -1);
    expect(frames.at(-1)).toBe('data: [DONE]');
    const deltas = frames
      .slice(0, -1)
      .map((frame) => String(at(JSON.parse(frame.replace(/^id: .*\ndata: /, '')), 'delta')));
    expect(deltas.join('') === pieces.join('')).toBe(true);
    // Text that did not fit into the sockets was not queued as events: it arrived in larger pieces once there
    // was room.
    expect(Math.max(...deltas.map(({ length }) => length))).toBe(16_384);
    expect(deltas.length).toBeLessThan(pieces.length);
  });
});

describe('after many streams that completed, lost their client, failed or were refused', () => {
  // Redis clients have timers for their whole life, which cannot be distinguished from those of the
  // application.
  itWithoutRedis('no socket, timer or listener is left (without Redis)', async () => {
    const user = await registerUser(api.url);
    const warnings: string[] = [];
    const listen = ({ message }: Error): void => {
      warnings.push(message);
    };
    process.on('warning', listen);
    type GatedStream = BegunStream & { readonly gate: GatedAnswer };
    const endOneWay = async ({ events, gate, conversationId }: GatedStream, index: number): Promise<void> => {
      switch (index % 3) {
        case 0:
          await events.return(undefined);
          gate.finish();
          break;
        case 1:
          gate.reset();
          await collect(events);
          break;
        default: {
          const busy = { message: 'too early', conversation_id: conversationId };
          expect((await user.request('POST', '/api/v1/chat/stream', busy)).status).toBe(409);
          gate.finish();
          await collect(events);
        }
      }
    };
    const round = async (): Promise<void> => {
      const turns: GatedStream[] = [];
      for (let index = 0; index < 24; index += 1) {
        const gate = gatedAnswer(['some', ' text']);
        gate.release();
        provider.script(gate);
        turns.push({ gate, ...(await beginStream(provider, user, { message: `question ${index}` })) });
      }
      await Promise.all(turns.map((turn, index) => endOneWay(turn, index)));
      for (const { conversationId } of turns) await untilSettled(api.database, conversationId);
    };
    const listeners = (): number =>
      process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
    // The first round opens resources that the later ones reuse.
    await round();
    const before = listeners();
    const timers = watchTimers();
    await round();
    await until('the sockets to the provider to be closed', () => provider.openConnections === 0);
    await until('the timers to be gone', () => timers.open() === 0);
    timers.stop();
    expect(listeners()).toBe(before);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });
});
