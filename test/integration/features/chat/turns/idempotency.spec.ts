// Real components: the API on a socket, PostgreSQL, and the provider's protocol; the test holds back the
// provider's next word. A repeated request is compared with its original in each state: running, stopped,
// failed, expired or deleted.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { beginStream, idsIn, named, nextEvent, stop } from '../../../../support/answers.js';
import { asking, startApi } from '../../../../support/api.js';
import {
  at,
  collect,
  eventsIn,
  registerUser,
  streamEvents,
  textOf,
  type ApiResponse,
  type StreamEvent,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { expectSettled, query, stored } from '../../../../support/stored.js';

const CHAT = '/api/v1/chat';
const STREAM = '/api/v1/chat/stream';

const provider = setUpProvider();
const api = setUpApi(() => asking(provider));

/** Sends a request with an Idempotency-Key. */
function ask(user: TestUser, key: string, body: object, path = CHAT): Promise<ApiResponse> {
  return named(api.url, user, path, key, { message: 'one two', ...body });
}

/** Sends the same request as a stream and reads the events as they arrive. */
function askStream(user: TestUser, key: string, body: object = {}): AsyncGenerator<StreamEvent> {
  return streamEvents(`${api.url}${STREAM}`, {
    method: 'POST',
    body: { message: 'one two', ...body },
    headers: { authorization: `Bearer ${user.token}`, 'idempotency-key': key },
  });
}

const isReplay = ({ headers }: ApiResponse): boolean => headers.get('idempotent-replayed') === 'true';
const asked = (): number => provider.requests.filter(({ route }) => route === 'chat').length;

/** Returns the number of messages of an account. */
async function messagesOf({ email }: TestUser): Promise<unknown> {
  const [row] = await query(
    api.database,
    `SELECT count(*)::int AS count FROM messages JOIN users ON users.id = user_id WHERE email = $1`,
    [email],
  );
  return row?.['count'];
}

/** The ids, text and last events of a stream, which must be equal however the text was chunked. */
function gist({ body }: ApiResponse): unknown {
  const data = eventsIn(body).map((event) => event.data);
  return { ids: idsIn(data[0]), text: textOf(data), last: data.slice(-2) };
}

describe('a request repeated with the same Idempotency-Key', () => {
  it('returns the same response and makes no second provider call', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const first = await ask(user, key, {});
    const again = await ask(user, key, {});
    expect([first.status, isReplay(first)]).toEqual([200, false]);
    expect([again.status, isReplay(again)]).toEqual([200, true]);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('x-message-id')).toBe(first.headers.get('x-message-id'));
    expect([asked(), await messagesOf(user)]).toEqual([1, 2]);
  });

  it('returns the same stream and makes no second provider call', async () => {
    const user = await registerUser(api.url);
    for (const [path, body] of [
      [STREAM, {}],
      [CHAT, { stream: true }],
    ] as const) {
      const key = randomUUID();
      const before = asked();
      const first = await ask(user, key, body, path);
      const again = await ask(user, key, body, path);
      expect([isReplay(first), isReplay(again)]).toEqual([false, true]);
      expect(gist(first)).toMatchObject({ text: 'one two', last: [{ finished: true }, '[DONE]'] });
      expect(gist(again)).toEqual(gist(first));
      expect(asked()).toBe(before + 1);
    }
  });

  it('streams from the first event while the original still runs', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const first = askStream(user, key);
    const opened = await nextEvent(first);
    gate.release();
    expect(at((await nextEvent(first)).data, 'delta')).toBe('four');
    const second = askStream(user, key);
    expect(await nextEvent(second)).toEqual(opened);
    expect(at((await nextEvent(second)).data, 'delta')).toBe('four');
    gate.finish();
    const rest = await Array.fromAsync(first);
    expect(textOf(rest.map(({ data }) => data))).toBe(' five');
    expect(await Array.fromAsync(second)).toEqual(rest);
    expect([asked(), await messagesOf(user)]).toEqual([1, 2]);
  });

  it('continues the answer after the original client disconnected', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const first = askStream(user, key);
    gate.release();
    await nextEvent(first);
    expect(at((await nextEvent(first)).data, 'delta')).toBe('four');
    await first.return(undefined);
    const second = askStream(user, key);
    await nextEvent(second);
    gate.finish();
    const rest = await collect(second);
    expect([textOf(rest), rest.at(-1)]).toEqual(['four five', '[DONE]']);
    expect(asked()).toBe(1);
  });

  it('returns a stopped answer as it was stopped', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const first = askStream(user, key);
    const { messageId } = idsIn((await nextEvent(first)).data);
    gate.release();
    await nextEvent(first);
    await stop(user, messageId);
    const last = (await collect(first)).slice(-2);
    const again = await ask(user, key, {}, STREAM);
    expect(gist(again)).toMatchObject({ text: 'four', last });
    expect(asked()).toBe(1);
  });

  it.each([
    [CHAT, false],
    [CHAT, true],
    [STREAM, false],
    [STREAM, true],
  ])(
    'runs once if twenty copies arrive at once on %s (in an existing conversation: %s)',
    async (path, inConversation) => {
      const user = await registerUser(api.url);
      const key = randomUUID();
      const body: { conversation_id?: string } = {};
      if (inConversation) {
        const begun = await user.request('POST', CHAT, { message: 'first' });
        body.conversation_id = idsIn(begun.body).conversationId;
      }
      const before = asked();
      const gate = gatedAnswer(['four', ' five']);
      provider.setDefault(gate);
      const reached = provider.nextRequest('chat');
      const answering = Array.from({ length: 20 }, () => ask(user, key, body, path));
      await reached;
      gate.finish();
      const answers = await Promise.all(answering);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(answers.filter(isReplay)).toHaveLength(19);
      const [first] = answers;
      if (first === undefined) throw new Error('Nobody answered.');
      for (const answer of answers) {
        if (path === CHAT) expect(answer.body).toEqual(first.body);
        else expect(gist(answer)).toEqual(gist(first));
      }
      expect(asked()).toBe(before + 1);
      expect(await messagesOf(user)).toBe(inConversation ? 4 : 2);
      const conversation = await stored(api.database, first.headers.get('x-conversation-id') ?? '');
      expect(conversation.messages.at(-1)?.['content']).toBe('four five');
      expectSettled(conversation);
      expect(conversation.usage).toHaveLength(inConversation ? 2 : 1);
    },
  );

  it('takes no second slot of the concurrency limit, at the same time or later', async () => {
    const narrow = await startApi({
      OPENAI_BASE_URL: provider.baseUrl,
      DEFAULT_MODEL: 'openai/test-model',
      RATE_LIMIT_CONCURRENCY: '1',
    });
    const user = await registerUser(narrow.url);
    const key = randomUUID();
    const gate = gatedAnswer(['four', ' five']);
    provider.setDefault(gate);
    const reached = provider.nextRequest('chat');
    const send = (): Promise<ApiResponse> => named(narrow.url, user, CHAT, key, { message: 'one two' });
    const answering = Array.from({ length: 10 }, send);
    await reached;
    answering.push(send());
    const other = await named(narrow.url, user, CHAT, randomUUID(), { message: 'one two' });
    expect([other.status, at(other.body, 'error', 'code')]).toEqual([429, 'rate_limit_exceeded']);
    gate.finish();
    const answers = await Promise.all(answering);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.filter(isReplay)).toHaveLength(10);
    expect(asked()).toBe(1);
    await narrow.close();
  });

  it('fails again with the same error and makes no second provider call', async () => {
    const user = await registerUser(api.url);
    const failures = [
      { kind: 'error', status: 500 },
      { kind: 'error', status: 400, code: 'content_policy_violation' },
      { kind: 'cut', afterChunks: 1, text: ['half', ' whole'] },
    ] as const;
    for (const failure of failures) {
      const key = randomUUID();
      provider.script(failure);
      const before = asked();
      const first = await ask(user, key, {});
      const again = await ask(user, key, {});
      expect(first.status).toBeGreaterThanOrEqual(400);
      expect(at(first.body, 'error', 'code')).not.toBe('internal_error');
      expect([again.status, at(again.body, 'error')]).toEqual([first.status, at(first.body, 'error')]);
      expect(isReplay(again)).toBe(true);
      expect(again.headers.get('x-should-retry')).toBe('false');
      expect(asked()).toBe(before + 1);

      const other = randomUUID();
      provider.script(failure);
      const stream = await ask(user, other, {}, STREAM);
      expect(gist(stream)).toMatchObject({
        last: expect.arrayContaining([{ error: at(first.body, 'error') }]),
      });
      expect(gist(await ask(user, other, {}, STREAM))).toEqual(gist(stream));
      expect(asked()).toBe(before + 2);
    }
  });

  it('is recognized with its fields in another order', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const first = await ask(user, key, { temperature: 0, model: 'openai/test-model' });
    const again = await named(api.url, user, CHAT, key, {
      model: 'openai/test-model',
      temperature: 0,
      message: 'one two',
    });
    expect(isReplay(again)).toBe(true);
    expect(again.body).toEqual(first.body);
  });
});

describe('an Idempotency-Key reused for a different request', () => {
  it.each([{ message: 'three' }, { temperature: 0.1 }, { stream: true }, { system_prompt: 'Be brief.' }])(
    'is refused with 409: %j',
    async (other) => {
      const user = await registerUser(api.url);
      const key = randomUUID();
      await ask(user, key, {});
      const { status, headers, body } = await ask(user, key, other);
      expect(status).toBe(409);
      expect(at(body, 'error')).toMatchObject({ code: 'idempotency_key_reused', param: 'Idempotency-Key' });
      expect(headers.get('x-should-retry')).toBe('false');
      expect([asked(), await messagesOf(user)]).toEqual([1, 2]);
    },
  );

  it('is refused while the original runs', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const gate = gatedAnswer(['four']);
    provider.script(gate);
    const first = askStream(user, key);
    await nextEvent(first);
    const refused = await ask(user, key, { message: 'three' }, STREAM);
    expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([409, 'idempotency_key_reused']);
    gate.finish();
    expect(textOf(await collect(first))).toBe('four');
  });

  it('is independent on another account or another route', async () => {
    const [user, other] = await Promise.all([registerUser(api.url), registerUser(api.url)]);
    const key = randomUUID();
    const answers = [
      await ask(user, key, {}),
      await ask(user, key, {}, STREAM),
      await ask(other, key, { message: 'three' }),
    ];
    expect(answers.map((answer) => [answer.status, isReplay(answer)])).toEqual(
      answers.map(() => [200, false]),
    );
    expect(new Set(answers.map(({ headers }) => headers.get('x-message-id'))).size).toBe(3);
    expect(asked()).toBe(3);
  });
});

describe('idempotency records', () => {
  it('are not written for refused requests, so that their key can be used again', async () => {
    const user = await registerUser(api.url);
    const running = gatedAnswer(['running']);
    provider.script(running);
    const { conversationId, events } = await beginStream(provider, user);
    const key = randomUUID();
    const refusals: [object, number, string][] = [
      [{ model: 'nowhere/no-model' }, 404, 'model_not_found'],
      [{ conversation_id: conversationId }, 409, 'conversation_busy'],
      [{ conversation_id: randomUUID() }, 404, 'not_found'],
      [{ temperature: 9 }, 400, 'invalid_request'],
    ];
    for (const [body, status, code] of refusals) {
      const refused = await ask(user, key, body);
      expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([status, code]);
      expect(isReplay(refused)).toBe(false);
    }
    expect(await query(api.database, 'SELECT 1 FROM idempotency_keys WHERE key = $1', [key])).toEqual([]);
    running.finish();
    await collect(events);
    const now = await ask(user, key, { conversation_id: conversationId });
    expect([now.status, isReplay(now)]).toEqual([200, false]);
  });

  it('expire after a day: the request runs again and is recorded again', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const first = await ask(user, key, {});
    const age = async (time: string): Promise<void> => {
      await query(
        api.database,
        'UPDATE idempotency_keys SET created_at = now() - $2::interval WHERE key = $1',
        [key, time],
      );
    };
    await age('23 hours 59 minutes');
    expect(isReplay(await ask(user, key, {}))).toBe(true);
    await age('24 hours 1 second');
    // Sent twice at once, since only one request may claim an expired key.
    const anew = await Promise.all([
      ask(user, key, { message: 'other' }),
      ask(user, key, { message: 'other' }),
    ]);
    expect(anew.filter(isReplay)).toHaveLength(1);
    for (const { status, body } of anew) {
      expect([status, at(body, 'message')]).toEqual([200, 'other']);
      expect(idsIn(body).messageId).toBe(idsIn(anew[0].body).messageId);
      expect(idsIn(body).messageId).not.toBe(idsIn(first.body).messageId);
    }
    expect(isReplay(await ask(user, key, { message: 'other' }))).toBe(true);
    expect(asked()).toBe(2);
  });

  it('outlive a deleted conversation: its answer is not found, and not generated again', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    const first = await ask(user, key, {});
    await user.request('DELETE', `/api/v1/conversations/${idsIn(first.body).conversationId}`);
    const { status, body } = await ask(user, key, {});
    expect([status, at(body, 'error', 'code')]).toEqual([404, 'not_found']);
    expect(asked()).toBe(1);
  });

  it('are deleted with their account', async () => {
    const user = await registerUser(api.url);
    const key = randomUUID();
    await ask(user, key, {});
    const rows = () => query(api.database, 'SELECT 1 FROM idempotency_keys WHERE key = $1', [key]);
    expect(await rows()).toHaveLength(1);
    expect((await user.request('DELETE', '/api/v1/users/me')).status).toBe(204);
    expect(await rows()).toEqual([]);
  });
});

describe('an invalid Idempotency-Key', () => {
  it.each([
    ['empty', ''],
    ['too long', 'x'.repeat(256)],
    ['non-ASCII', 'naïve'],
    ['two words', 'two words'],
    ['a tab', 'a\tb'],
  ])('is refused with 400: %s', async (_name, key) => {
    const user = await registerUser(api.url);
    const { status, body } = await ask(user, key, {});
    expect(status).toBe(400);
    expect(at(body, 'error')).toMatchObject({
      code: 'invalid_request',
      param: 'Idempotency-Key',
      details: [{ field: 'Idempotency-Key', message: expect.any(String) as unknown }],
    });
    expect([asked(), await messagesOf(user)]).toEqual([0, 0]);
  });

  it('does not include one of the maximum length of 255 characters', async () => {
    const user = await registerUser(api.url);
    const key = '~'.repeat(255);
    expect(isReplay(await ask(user, key, {}))).toBe(false);
    expect(isReplay(await ask(user, key, {}))).toBe(true);
  });
});
