// Real components: the API on a socket, the provider's protocol, and PostgreSQL behind a proxy that the test
// cuts. The cases share one server and one proxy; those of turns cut the connection at different moments of
// an answer.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Queue } from 'bullmq';
import pg from 'pg';
import { SWEEP_JOB, TURNS_QUEUE } from '../../../../../src/features/chat/recovery/recovery.queue.js';
import { startApi, type TestApi } from '../../../../support/api.js';
import {
  at,
  collect,
  registerUser,
  send,
  type ApiResponse,
  type TestUser,
} from '../../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../../support/database.js';
import { startFakeProvider, type FakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { itWithoutRedis } from '../../../../support/redis.js';
import { expectSettled, query, stored, until, untilSettled } from '../../../../support/stored.js';
import { TcpProxy } from '../../../../support/tcp-proxy.js';

let provider: FakeProvider;
let database: TestDatabase;
let proxy: TcpProxy;
let api: TestApi;
let user: TestUser;
const uncaught: unknown[] = [];
const printed = jest.spyOn(console, 'error');

function remember(error: unknown): void {
  uncaught.push(error);
}

beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', remember);
  process.on('unhandledRejection', remember);
  provider = await startFakeProvider();
  database = await createMigratedDatabase();
  proxy = await TcpProxy.start(database.url);
  api = await startApi(
    { OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'openai/test-model' },
    { ...database, url: proxy.url },
  );
});

beforeEach(async () => {
  user = await registerUser(api.url);
});

afterEach(() => {
  proxy.restore();
  provider.reset();
  // An error that would end a production process must not occur, whatever jest does with it.
  expect(uncaught.splice(0)).toEqual([]);
  // Libraries print errors that have no listener, with every object attached to them.
  expect(printed).not.toHaveBeenCalled();
});

afterAll(async () => {
  await api.close();
  await proxy.close();
  await provider.close();
  await database.drop();
  printed.mockRestore();
  process.off('uncaughtExceptionMonitor', remember);
  process.off('unhandledRejection', remember);
});

const AWAY = {
  code: 'service_unavailable',
  message: 'The database is unavailable. Try again in a few seconds.',
  type: 'api_error',
  param: null,
};

function expectAway({ status, headers, body }: ApiResponse): void {
  expect(status).toBe(503);
  expect(body).toEqual({ error: AWAY, request_id: headers.get('x-request-id') });
  expect(headers.get('retry-after')).toBe('2');
}

async function beginConversation(): Promise<string> {
  const answer = await user.request('POST', '/api/v1/chat', { message: 'first' });
  expect(answer.status).toBe(200);
  return String(at(answer.body, 'conversation_id'));
}

describe('a turn whose commit is not confirmed', () => {
  it('is found again and answered once', async () => {
    const conversation = await beginConversation();
    const lost = proxy.cutAtReplyTo('FROM start_turn');
    const turn = user.request('POST', '/api/v1/chat', { message: 'second', conversation_id: conversation });
    await lost;
    proxy.restore();
    expect(await turn).toMatchObject({ status: 200, body: { message: 'second' } });
    const settled = await stored(database, conversation);
    expect(settled.messages).toHaveLength(4);
    expect(settled.messages.at(-1)).toMatchObject({ status: 'complete', content: 'second' });
    expectSettled(settled);
  });
});

describe('while the database is unavailable', () => {
  it('every route that needs it returns 503 with Retry-After, and works again once it is back', async () => {
    const id = await beginConversation();
    const requests = (): Promise<ApiResponse>[] => [
      user.request('GET', '/api/v1/users/me'),
      user.request('GET', '/api/v1/conversations'),
      user.request('GET', `/api/v1/conversations/${id}`),
      user.request('GET', `/api/v1/conversations/${id}/messages`),
      user.request('POST', '/api/v1/chat', { message: 'hi', conversation_id: id }),
      send(`${api.url}/api/v1/auth/login`, {
        method: 'POST',
        body: { email: user.email, password: 'a long password' },
      }),
      user.request('POST', '/api/v1/chat/stream', { message: 'hi' }),
      send(`${api.url}/api/v1/auth/register`, {
        method: 'POST',
        body: { email: `new-${user.email}`, password: 'a long password' },
      }),
      user.request('DELETE', `/api/v1/conversations/${id}`),
    ];
    proxy.cut();
    // Sent twice: the first requests meet broken pool connections, the later ones cannot get a connection.
    for (const response of await Promise.all(requests())) expectAway(response);
    for (const response of await Promise.all(requests())) expectAway(response);
    expect(provider.requests.filter(({ route }) => route === 'chat')).toHaveLength(1);
    proxy.restore();

    const statuses: number[] = [];
    for (const [method, path, body] of [
      ['GET', '/api/v1/users/me', undefined],
      ['GET', `/api/v1/conversations/${id}/messages`, undefined],
      ['POST', '/api/v1/chat', { message: 'hi', conversation_id: id }],
      ['POST', '/api/v1/chat/stream', { message: 'hi' }],
      ['DELETE', `/api/v1/conversations/${id}`, undefined],
    ] as const) {
      statuses.push((await user.request(method, path, body)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 204]);
    // No part of the refused turns was stored, and the new email address is not taken.
    const counts = await query(
      database,
      `SELECT (SELECT count(*)::int FROM conversations WHERE user_id = u.id) AS conversations,
         (SELECT count(*)::int FROM usage_records WHERE user_id = u.id) AS answers,
         (SELECT count(*)::int FROM users WHERE email = 'new-' || u.email) AS strangers
       FROM users u WHERE email = $1`,
      [user.email],
    );
    expect(counts).toEqual([{ conversations: 1, answers: 3, strangers: 0 }]);
  });

  it('the process is live but not ready, and reports the database as unavailable', async () => {
    proxy.cut();
    const [live, ready, health, root] = await Promise.all(
      ['/health/live', '/health/ready', '/health', '/'].map((path) => send(`${api.url}${path}`)),
    );
    expect(live).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(ready).toMatchObject({ status: 503, body: { error: { code: 'service_unavailable' } } });
    expect(ready?.headers.get('retry-after')).toBe('2');
    expect(health).toMatchObject({ status: 200, body: { status: 'unavailable', database: 'unavailable' } });
    expect(root?.status).toBe(200);
    proxy.restore();
    await until('the API to be ready again', async () => {
      return (await send(`${api.url}/health/ready`)).status === 200;
    });
    expect(at((await send(`${api.url}/health`)).body, 'database')).toBe('ok');
  });

  it('an unauthenticated or invalid request is still refused with 401 or 400', async () => {
    proxy.cut();
    expect((await send(`${api.url}/api/v1/users/me`)).status).toBe(401);
    const invalid = await send(`${api.url}/api/v1/auth/login`, { method: 'POST', body: { email: 'x' } });
    expect(invalid.status).toBe(400);
  });
});

describe('a database that becomes unavailable', () => {
  it.each([
    ['with its connections broken', async () => proxy.cut()],
    [
      'with its connections terminated as in a server shutdown',
      async () => {
        await query(
          database,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'parley'`,
        );
      },
    ],
  ])('during a request, %s, stores nothing and causes a 503, and a retry succeeds', async (_name, goAway) => {
    const conversation_id = await beginConversation();
    const before = await stored(database, conversation_id);
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE', [conversation_id]);
      const answer = user.request('POST', '/api/v1/chat', { message: 'hi', conversation_id });
      await until('the turn to wait for the row', async () => {
        const [row] = await query(
          database,
          `SELECT count(*)::int AS waiting FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return Number(row?.['waiting']) >= 1;
      });
      await goAway();
      expectAway(await answer);
    } finally {
      await holder.end();
    }
    expect(await stored(database, conversation_id)).toEqual(before);
    proxy.restore();
    const again = await user.request('POST', '/api/v1/chat', { message: 'hi', conversation_id });
    expect(again.status).toBe(200);
    expectSettled(await stored(database, conversation_id));
  });

  it('during an answer delays its end: the answer is completed, stored once the database is back, and only then finished', async () => {
    const gate = gatedAnswer(['four', ' five', ' six']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const events = user.stream('/api/v1/chat/stream', { message: 'one two three' });
    const conversationId = String(at((await events.next()).value, 'data', 'conversation_id'));
    const upstream = await asked;
    gate.release();
    expect(at((await events.next()).value, 'data', 'delta')).toBe('four');

    proxy.cut();
    gate.release();
    expect(at((await events.next()).value, 'data', 'delta')).toBe(' five');
    gate.finish();
    expect(at((await events.next()).value, 'data', 'delta')).toBe(' six');
    await upstream.closed;
    let notified = false;
    const last = events.next().then(({ value }: IteratorResult<unknown>) => {
      notified = true;
      return at(value, 'data');
    });
    // The server retries storing the end of the answer.
    await proxy.nextRefusal();
    await proxy.nextRefusal();
    const [away] = (await stored(database, conversationId)).messages.slice(1);
    expect(away).toMatchObject({ status: 'generating' });
    expect(notified).toBe(false);

    proxy.restore();
    expect(await last).toMatchObject({ finished: true, finish_reason: 'stop' });
    expect(await collect(events)).toEqual(['[DONE]']);
    const conversation = await stored(database, conversationId);
    expect(conversation.messages).toMatchObject([
      { content: 'one two three', status: 'complete' },
      { content: 'four five six', status: 'complete' },
    ]);
    expect(conversation.usage).toMatchObject([{ outcome: 'completed' }]);
    expectSettled(conversation);
  });

  it('between the question and the model call delays the call until it is back', async () => {
    // Only a turn with earlier messages reads them back.
    const earlier = await user.request('POST', '/api/v1/chat', { message: 'zero' });
    const conversation_id = at(earlier.body, 'conversation_id');
    const lost = proxy.cutAtReplyTo('FROM context_path');
    const asked = provider.nextRequest('chat');
    const answer = user.request('POST', '/api/v1/chat', { message: 'one two three', conversation_id });
    await lost;
    await proxy.nextRefusal();
    proxy.restore();
    expect((await asked).body).toMatchObject({
      messages: [{ role: 'user' }, { role: 'assistant' }, { role: 'user', content: 'one two three' }],
    });
    const { status, body } = await answer;
    expect([status, at(body, 'message')]).toEqual([200, 'one two three']);
    expectSettled(await stored(database, String(at(body, 'conversation_id'))));
  });

  it('during a checkpoint loses no text: a later checkpoint stores it', async () => {
    const gate = gatedAnswer(['four', ' five', ' six']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const events = user.stream('/api/v1/chat/stream', { message: 'one two three' });
    const conversationId = String(at((await events.next()).value, 'data', 'conversation_id'));
    await asked;
    const from = api.log.length;
    proxy.cut();
    gate.release();
    expect(at((await events.next()).value, 'data', 'delta')).toBe('four');
    await until('a checkpoint that failed', () => {
      return api.log.slice(from).some((line) => line.includes('could not store a checkpoint'));
    });
    proxy.restore();
    await until('a checkpoint', async () => {
      const [, answer] = (await stored(database, conversationId)).messages;
      return answer?.['content'] === 'four' && answer['status'] === 'generating';
    });
    gate.finish();
    expect((await collect(events)).at(-1)).toBe('[DONE]');
    expectSettled(await untilSettled(database, conversationId));
  });

  it.each(['/api/v1/chat', '/api/v1/chat/stream'])(
    'before it confirms an answer causes no duplicate: the answer is stored once and returned complete on %s',
    async (route) => {
      const conversation_id = await beginConversation();
      const gate = gatedAnswer(['four', ' five']);
      provider.script(gate);
      const asked = provider.nextRequest('chat');
      const answer = user.request('POST', route, { message: 'one two three', conversation_id });
      await asked;
      const lost = proxy.cutAtReplyTo('FROM finish_turn');
      gate.finish();
      await lost;
      // The server has committed, and the reply was lost.
      const committed = await stored(database, conversation_id);
      expect(committed.messages[3]).toMatchObject({ status: 'complete', content: 'four five' });
      proxy.restore();

      const { status, body } = await answer;
      expect(status).toBe(200);
      if (route === '/api/v1/chat') expect(at(body, 'message')).toBe('four five');
      else expect(String(body)).toMatch(/"finished":true[^\n]*\n\ndata: \[DONE\]\n\n$/);
      const conversation = await stored(database, conversation_id);
      expect(conversation.messages).toEqual(committed.messages);
      expect(conversation.usage).toHaveLength(2);
      expectSettled(conversation);
    },
  );
});

describe('after the database was unavailable', () => {
  // With Redis, jobs do not depend on the database, and the sweep that this test would wait for takes up to 15 s.
  itWithoutRedis('queued jobs run again', async () => {
    const conversation_id = await beginConversation();
    proxy.cut();
    // The queue's worker has noticed the outage.
    await proxy.nextRefusal();
    proxy.restore();
    await query(
      database,
      `UPDATE messages SET status = 'generating', lease_owner = gen_random_uuid(), lease_until = now()
       WHERE conversation_id = $1 AND role = 'assistant'`,
      [conversation_id],
    );
    const queue = new Queue(TURNS_QUEUE, { connection: { connectionString: database.url } });
    try {
      await queue.add(SWEEP_JOB, {});
      const { messages } = await untilSettled(database, conversation_id);
      expect(messages[1]).toMatchObject({ status: 'interrupted', error_code: 'interrupted' });
    } finally {
      await queue.close();
    }
  });
});

describe('an answer generated by another process', () => {
  it('is stopped despite a short database outage during the stop, and no process crashes', async () => {
    const first = await user.request('POST', '/api/v1/chat', { message: 'first' });
    const messageId = String(at(first.body, 'message_id'));
    await query(
      database,
      `UPDATE messages SET status = 'generating', finish_reason = NULL, lease_owner = gen_random_uuid(),
       lease_until = now() + interval '1 hour' WHERE id = $1`,
      [messageId],
    );
    const stopping = user.request('POST', `/api/v1/chat/${messageId}/stop`);
    await until('the request to stop', async () => {
      const [row] = await query(database, 'SELECT stop_requested FROM messages WHERE id = $1', [messageId]);
      return row?.['stop_requested'] === true;
    });
    // Not before the first look: until then, the request itself fails.
    await proxy.cutAtReplyTo('"expiredForSeconds"');
    await until('a look that fails', () =>
      api.log.some((line) => line.includes('could not end expired answers')),
    );
    await query(database, `UPDATE messages SET lease_until = now() - interval '1 s' WHERE id = $1`, [
      messageId,
    ]);
    proxy.restore();
    const { status, body } = await stopping;
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: messageId, status: 'interrupted', finish_reason: 'stopped' });
    expect(at(body, 'error')).toBeUndefined();
  });
});
