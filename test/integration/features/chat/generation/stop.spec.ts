// Real components: the API on a socket, PostgreSQL, and the provider's protocol; the test holds back the
// provider's next word. The cases stop an answer, or disconnect its client, at different stages.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { beginStream, idsIn, nextEvent, rejoin, stop } from '../../../../support/answers.js';
import { asking, type Settings, startApi, type TestApi } from '../../../../support/api.js';
import {
  at,
  collect,
  registerUser,
  textOf,
  type ApiResponse,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import type { RecordedRequest } from '../../../../support/fake-provider/recorded-request.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import {
  expectSettled,
  query,
  stored,
  type StoredConversation,
  until,
  untilSettled,
} from '../../../../support/stored.js';

const provider = setUpProvider();
const api = setUpApi(settings);

function settings(): Settings {
  return asking(provider);
}

function start(more: Settings = {}): Promise<TestApi> {
  return startApi({ ...settings(), ...more });
}

/** Stops an answer and checks that the provider's socket was closed before the stop was answered. */
async function stopAndSee(
  user: TestUser,
  messageId: string,
  upstream: RecordedRequest,
): Promise<ApiResponse> {
  const answer = await stop(user, messageId);
  const answeredAt = performance.now();
  const { by, at: closedAt } = await upstream.closed;
  expect(by).toBe('client');
  // Compares order, not duration.
  expect(closedAt).toBeLessThan(answeredAt);
  return answer;
}

/** Returns the id of the one answer of an account that is being generated. */
async function generatingOf({ email }: TestUser, { database } = api): Promise<string> {
  const [row] = await query(
    database,
    `SELECT id FROM messages WHERE status = 'generating'
       AND user_id = (SELECT id FROM users WHERE email = $1)`,
    [email],
  );
  return String(row?.['id']);
}

/**
 * Checks the conversation after a stop: the received text is stored and billed, and the next turn works at
 * once.
 */
async function expectStopped(
  user: TestUser,
  conversationId: string,
  content: string,
  of = api,
): Promise<StoredConversation> {
  const conversation = await stored(of.database, conversationId);
  expect(conversation.messages.at(-1)).toMatchObject({
    role: 'assistant',
    status: 'interrupted',
    finish_reason: 'stopped',
    content,
    error_code: null,
  });
  expect(conversation.messages.at(-1)?.['completed_at']).toBeInstanceOf(Date);
  expectSettled(conversation);
  const next = await user.request('POST', '/api/v1/chat', {
    message: 'next',
    conversation_id: conversationId,
  });
  // A question stopped before the first word of its answer is sent together with the next question.
  expect([next.status, at(next.body, 'message')]).toEqual([200, expect.stringMatching(/(?:^|\n)next$/)]);
  return conversation;
}

describe('stopping an answer', () => {
  it('stores and bills the received text, ends all streams, and closes the provider’s socket first', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five', ' six']);
    provider.script(gate);
    const { conversationId, messageId, upstream, events } = await beginStream(provider, user, {
      message: 'one two three',
    });
    for (const delta of ['four', ' five']) {
      gate.release();
      expect(at((await nextEvent(events)).data, 'delta')).toBe(delta);
    }
    const follower = rejoin(api.url, user, messageId, '1.4');
    await nextEvent(follower);
    const { status, body } = await stopAndSee(user, messageId, upstream);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: messageId,
      content: 'four five',
      status: 'interrupted',
      finish_reason: 'stopped',
      usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
    });
    const [finished, done] = await collect(events);
    expect(finished).toMatchObject({
      delta: '',
      finished: true,
      finish_reason: 'stopped',
      tokens_used: 9,
      usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
      cached: false,
    });
    expect(done).toBe('[DONE]');
    const followed = await collect(follower);
    expect(textOf(followed)).toBe(' five');
    expect(followed.slice(-2)).toEqual([finished, done]);
    expect((await collect(rejoin(api.url, user, messageId))).slice(-2)).toEqual([finished, done]);
    const { usage } = await expectStopped(user, conversationId, 'four five');
    expect(usage).toMatchObject([
      { call_id: messageId, outcome: 'cancelled', input_tokens: 7, output_tokens: 2, estimated: true },
    ]);
  });

  it('works before the first token and before the response headers', async () => {
    const user = await registerUser(api.url);
    for (const holdHeaders of [false, true]) {
      provider.script(gatedAnswer(['never'], { holdHeaders }));
      const { conversationId, messageId, upstream, events } = await beginStream(provider, user);
      const { status, body } = await stopAndSee(user, messageId, upstream);
      expect([status, at(body, 'content'), at(body, 'finish_reason')]).toEqual([200, '', 'stopped']);
      const rest = await collect(events);
      expect(rest).toMatchObject([{ delta: '', finished: true, finish_reason: 'stopped' }, '[DONE]']);
      const { usage } = await expectStopped(user, conversationId, '');
      expect(usage).toMatchObject([{ outcome: 'cancelled' }]);
    }
  });

  it('returns the text so far to a client that awaits the answer as JSON', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const whole = user.request('POST', '/api/v1/chat', { message: 'hi' });
    const upstream = await asked;
    const messageId = await generatingOf(user);
    const follower = rejoin(api.url, user, messageId);
    await nextEvent(follower);
    gate.release();
    expect(at((await nextEvent(follower)).data, 'delta')).toBe('four');
    expect((await stopAndSee(user, messageId, upstream)).status).toBe(200);
    const { status, body } = await whole;
    expect(status).toBe(200);
    expect(body).toMatchObject({ message: 'four', message_id: messageId, finish_reason: 'stopped' });
    await collect(follower);
    await expectStopped(user, idsIn(body).conversationId, 'four');
  });

  it('has the same result if repeated, even twenty times at once', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { conversationId, messageId, events } = await beginStream(provider, user);
    gate.release();
    await nextEvent(events);
    const answers = await Promise.all(Array.from({ length: 20 }, () => stop(user, messageId)));
    answers.push(await stop(user, messageId));
    const [first] = answers;
    expect(first?.body).toMatchObject({ content: 'four', finish_reason: 'stopped' });
    for (const { status, body } of answers) expect([status, body]).toEqual([200, first?.body]);
    expect((await stored(api.database, conversationId)).usage).toHaveLength(1);
    await expectStopped(user, conversationId, 'four');
  });

  it('does not change an answer that has already ended', async () => {
    const user = await registerUser(api.url);
    provider.script({ kind: 'answer' }, { kind: 'cut', afterChunks: 1, text: ['half', ' whole'] });
    const good = await user.request('POST', '/api/v1/chat', { message: 'whole' });
    const { conversationId, messageId } = idsIn(good.body);
    await user.request('POST', '/api/v1/chat', { message: 'half', conversation_id: conversationId });
    const before = await stored(api.database, conversationId);
    expect((await stop(user, messageId)).body).toMatchObject({ status: 'complete', finish_reason: 'stop' });
    expect((await stop(user, String(before.messages[3]?.['id']))).body).toMatchObject({ status: 'failed' });
    expect(await stored(api.database, conversationId)).toEqual(before);
  });

  it('ends an answer queued for the provider, which receives no request', async () => {
    const narrow = await start({ LLM_MAX_CONCURRENCY: '1', LLM_MAX_QUEUE: '5' });
    const user = await registerUser(narrow.url);
    const gate = gatedAnswer(['first']);
    provider.script(gate);
    const { events } = await beginStream(provider, user);
    const waiting = user.stream('/api/v1/chat/stream', { message: 'second' });
    const { conversationId, messageId } = idsIn((await nextEvent(waiting)).data);
    const { status, body } = await stop(user, messageId);
    expect([status, at(body, 'content'), at(body, 'finish_reason')]).toEqual([200, '', 'stopped']);
    expect(await collect(waiting)).toMatchObject([
      { finish_reason: 'stopped', usage: { total_tokens: 0 } },
      '[DONE]',
    ]);
    expect(provider.requests).toHaveLength(1);
    gate.finish();
    expect(textOf(await collect(events))).toBe('first');
    expect((await stored(narrow.database, conversationId)).usage).toEqual([]);
    await expectStopped(user, conversationId, '', narrow);
    await narrow.close();
  });

  it('ends an answer that waits for a retry', async () => {
    const patient = await start({ LLM_MAX_RETRIES: '2' });
    const user = await registerUser(patient.url);
    provider.script({ kind: 'error', status: 429, retryAfter: 5 });
    const { conversationId, messageId, events, upstream } = await beginStream(provider, user);
    expect((await upstream.closed).by).toBe('server');
    const { status, body } = await stop(user, messageId);
    expect([status, at(body, 'finish_reason')]).toEqual([200, 'stopped']);
    expect((await collect(events)).at(-1)).toBe('[DONE]');
    expect(provider.requests).toHaveLength(1);
    await expectStopped(user, conversationId, '', patient);
    await patient.close();
  });

  it('just as the answer completes ends it exactly once', async () => {
    const user = await registerUser(api.url);
    for (let round = 0; round < 20; round += 1) {
      const gate = gatedAnswer(['four', ' five']);
      provider.script(gate);
      const { conversationId, messageId, events } = await beginStream(provider, user);
      const stopping = round % 2 === 0 ? stop(user, messageId) : undefined;
      gate.finish();
      const answer = await (stopping ?? stop(user, messageId));
      expect(answer.status).toBe(200);
      const lastEvent = (await collect(events)).at(-2);
      const conversation = await stored(api.database, conversationId);
      const [, row] = conversation.messages;
      expect([row?.['status'], row?.['finish_reason']]).toEqual(
        row?.['finish_reason'] === 'stop' ? ['complete', 'stop'] : ['interrupted', 'stopped'],
      );
      for (const seen of [lastEvent, answer.body]) {
        expect(at(seen, 'finish_reason')).toBe(row?.['finish_reason']);
      }
      expect(at(answer.body, 'content')).toBe(row?.['content']);
      expect(conversation.usage).toHaveLength(row?.['input_tokens'] === 0 ? 0 : 1);
      expectSettled(conversation);
    }
  });

  it('ends an answer whose process is gone, and unblocks its conversation', async () => {
    const user = await registerUser(api.url);
    const answer = await user.request('POST', '/api/v1/chat', { message: 'hi' });
    const { conversationId, messageId } = idsIn(answer.body);
    // The state that a process killed after a checkpoint leaves.
    await query(api.database, 'DELETE FROM usage_records WHERE conversation_id = $1', [conversationId]);
    await query(api.database, 'UPDATE conversations SET tokens_total = 0, cost_micro_usd = 0 WHERE id = $1', [
      conversationId,
    ]);
    await query(
      api.database,
      `UPDATE messages SET status = 'generating', finish_reason = NULL, completed_at = NULL,
         lease_owner = gen_random_uuid(), lease_until = now() - interval '1 second' WHERE id = $1`,
      [messageId],
    );
    const { status, body } = await stop(user, messageId);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: messageId, status: 'interrupted', content: 'hi' });
    expectSettled(await stored(api.database, conversationId));
    const next = await user.request('POST', '/api/v1/chat', {
      message: 'next',
      conversation_id: conversationId,
    });
    expect(next.status).toBe(200);
  });

  it('is refused for other accounts’ answers, questions and unknown ids', async () => {
    const [user, stranger] = await Promise.all([registerUser(api.url), registerUser(api.url)]);
    const gate = gatedAnswer(['four']);
    provider.script(gate);
    const { conversationId, messageId, events } = await beginStream(provider, user);
    const { messages } = await stored(api.database, conversationId);
    const refusals = [
      await stop(stranger, messageId),
      await stop(user, String(messages[0]?.['id'])),
      await stop(user, randomUUID()),
    ];
    expect(refusals.map(({ status, body }) => [status, at(body, 'error', 'code')])).toEqual(
      refusals.map(() => [404, 'not_found']),
    );
    expect((await stop(user, 'no-id')).status).toBe(400);
    gate.finish();
    expect(textOf(await collect(events))).toBe('four');
  });
});

describe('a client that disconnects', () => {
  it('stops its stream with on_disconnect: cancel', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const begun = await beginStream(provider, user, { on_disconnect: 'cancel' });
    const { conversationId, upstream, events } = begun;
    gate.release();
    await nextEvent(events);
    await events.return(undefined);
    expect((await upstream.closed).by).toBe('client');
    await untilSettled(api.database, conversationId);
    await expectStopped(user, conversationId, 'four');
  });

  it('stops the answer that it awaits as JSON with on_disconnect: cancel', async () => {
    const user = await registerUser(api.url);
    const { left, upstream, conversationId } = await leaveWhole(user, { on_disconnect: 'cancel' });
    await left();
    expect((await upstream.closed).by).toBe('client');
    await untilSettled(api.database, conversationId);
    await expectStopped(user, conversationId, '');
  });

  it.each([{}, { on_disconnect: 'continue' }])('stops nothing with %j', async (body) => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { conversationId, events } = await beginStream(provider, user, body);
    const from = api.log.length;
    await events.return(undefined);
    const { left, conversationId: second, gate: secondGate } = await leaveWhole(user, body);
    await left();
    await until('the server to see both leave', () => leaversSince(from) === 2);
    for (const opened of [gate, secondGate]) opened.finish();
    for (const id of [conversationId, second]) {
      const { messages } = await untilSettled(api.database, id);
      expect(messages.at(-1)).toMatchObject({ status: 'complete', content: 'four five' });
    }
  });

  it('may stop following its answer as a second client without stopping it', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five']);
    provider.script(gate);
    const { messageId, events } = await beginStream(provider, user, { on_disconnect: 'cancel' });
    const follower = rejoin(api.url, user, messageId);
    await nextEvent(follower);
    const from = api.log.length;
    await follower.return(undefined);
    await until('the server to see it leave', () => leaversSince(from) === 1);
    gate.finish();
    const rest = await collect(events);
    expect(textOf(rest)).toBe('four five');
    expect(at(rest.at(-2), 'finish_reason')).toBe('stop');
  });

  it('gets a 400 that names on_disconnect if its value is unknown', async () => {
    const user = await registerUser(api.url);
    const body = { message: 'hi', on_disconnect: 'stay' };
    const { status, body: refusal } = await user.request('POST', '/api/v1/chat', body);
    expect([status, at(refusal, 'error', 'param')]).toEqual([400, 'on_disconnect']);
  });
});

/** Requests an answer as JSON; `left` disconnects before it is complete. */
async function leaveWhole(user: TestUser, body: object) {
  const gate = gatedAnswer(['four', ' five']);
  provider.script(gate);
  const asked = provider.nextRequest('chat');
  const leaving = new AbortController();
  const answer = fetch(`${api.url}/api/v1/chat`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ message: 'hi', ...body }),
    signal: leaving.signal,
  });
  const upstream = await asked;
  const [row] = await query(
    api.database,
    `SELECT conversation_id FROM messages WHERE user_id = (SELECT id FROM users WHERE email = $1)
     ORDER BY created_at DESC, position DESC LIMIT 1`,
    [user.email],
  );
  const left = async (): Promise<void> => {
    leaving.abort();
    await expect(answer).rejects.toThrow(/aborted/);
  };
  return { gate, upstream, left, conversationId: String(row?.['conversation_id']) };
}

/** Counts the clients that disconnected according to the server's log, from the given line on. */
function leaversSince(from: number): number {
  return api.log.slice(from).filter((line) => /\/api\/v1\/chat.* closed by the client/.test(line)).length;
}
