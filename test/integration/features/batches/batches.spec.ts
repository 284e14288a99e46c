// Real components: the API on a socket and PostgreSQL. No request is ever claimed, so that the tests decide when requests
// end, by SQL.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { makeKey } from '../../../support/accounts.js';
import { at, listAt, registerUser, send, streamEvents } from '../../../support/client.js';
import { uploadedId } from '../../../support/files.js';
import {
  BATCHES,
  endBatch,
  endItems,
  readLines,
  readPages,
  submitBatch,
} from '../../../support/parley-batches.js';
import { setUpApi, setUpUser } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';

const UNKNOWN = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';
const ANSWER = { choices: [{ message: { role: 'assistant', content: 'Hello' } }] };

const api = setUpApi();
const user = setUpUser(api, 'test');

beforeAll(async () => {
  const [row] = await query(
    api.database,
    `SELECT pg_get_functiondef('claim_waiting_items'::regproc) AS definition`,
  );
  const definition = String(row?.['definition']);
  const idle = definition.replace(/\nBEGIN\n/, '\nBEGIN RETURN;\n');
  expect(idle).not.toBe(definition);
  await query(api.database, idle);
});

function requestsOf(id: string) {
  return query(api.database, 'SELECT * FROM batch_items WHERE batch_id = $1 ORDER BY line', [id]);
}

/** Submits with an Idempotency-Key. */
function submitWithKey(key: string, body: object) {
  const headers = { authorization: `Bearer ${user.token}`, 'idempotency-key': key };
  return send(`${api.url}${BATCHES}`, { method: 'POST', body, headers });
}

describe('a submission', () => {
  it('of texts stores a chat for each, with the shared fields', async () => {
    const { status, body } = await user.request('POST', BATCHES, {
      texts: ['One', 'Two'],
      system_prompt: 'Be kind.',
      temperature: 0.5,
      max_concurrency: 3,
      metadata: { run: 'nightly' },
    });
    expect({ status, body }).toMatchObject({
      status: 202,
      body: {
        task: 'chat',
        status: 'queued',
        total: 2,
        counts: { total: 2, waiting: 2, running: 0, completed: 0, failed: 0, skipped: 0 },
        max_concurrency: 3,
        metadata: { run: 'nightly' },
        estimated_end_at: null,
      },
    });
    const items = await requestsOf(String(at(body, 'job_id')));
    expect(items.map(({ line, custom_id: id, lane }) => [line, id, lane])).toEqual([
      [1, 'request-1', 'demo'],
      [2, 'request-2', 'demo'],
    ]);
    expect(JSON.parse(String(items[1]?.['request']))).toEqual({
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'Two' },
      ],
      temperature: 0.5,
    });
  });

  it('of requests keeps their ids, and leaves an unknown model to its request', async () => {
    const id = await submitBatch(user, {
      requests: [
        { custom_id: 'a', text: 'One', model: 'demo/echo' },
        { custom_id: 'b', messages: [{ role: 'user', content: 'Two' }], model: 'nobody/has-this' },
      ],
    });
    expect((await requestsOf(id)).map(({ custom_id: customId, lane }) => [customId, lane])).toEqual([
      ['a', 'demo'],
      ['b', ''],
    ]);
  });

  it('of a file by either form of its id has no total yet', async () => {
    const file = await uploadedId(api.url, user, { name: 'a.jsonl', bytes: Buffer.from('{"text":"One"}\n') });
    for (const input_file_id of [file, `file-${file.replaceAll('-', '')}`]) {
      const { status, body } = await user.request('POST', BATCHES, { input_file_id });
      expect({ status, body }).toMatchObject({
        status: 202,
        body: { status: 'validating', total: null, input_file_id: file, counts: { total: null, waiting: 0 } },
      });
    }
  });

  it.each<[string, object, string]>([
    ['no input', {}, 'texts'],
    ['two inputs', { texts: ['a'], requests: [{ text: 'a' }] }, 'texts'],
    ['an unknown field', { texts: ['a'], color: 'red' }, 'color'],
    ['a text as texts', { texts: 'a' }, 'texts'],
    ['no text', { texts: [] }, 'texts'],
    ['a number among texts', { texts: ['a', 1] }, 'texts.1'],
    ['a blank text', { texts: ['a', ' '] }, 'texts.1'],
    ['a text among requests', { requests: ['a'] }, 'requests.0'],
    [
      'a custom_id twice',
      {
        requests: [
          { custom_id: 'a', text: 'a' },
          { custom_id: 'a', text: 'b' },
        ],
      },
      'requests.1.custom_id',
    ],
    ['too many at once', { texts: ['a'], max_concurrency: 65 }, 'max_concurrency'],
    ['metadata with a number', { texts: ['a'], metadata: { a: 1 } }, 'metadata'],
    [
      'too much metadata',
      { texts: ['a'], metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, ''])) },
      'metadata',
    ],
    ['a task that does not exist', { texts: ['a'], task: 'sing' }, 'task'],
    ['a field of another task', { texts: ['a'], task: 'embed', model: 'm', temperature: 1 }, 'temperature'],
    ['embeddings without a model', { texts: ['a'], task: 'embed' }, 'model'],
    ['more than 50,000 texts', { texts: Array.from({ length: 50_001 }, () => 'a') }, 'texts'],
  ])('with %s is refused, naming the field', async (_name, body, field) => {
    const { status, body: refusal } = await user.request('POST', BATCHES, body);
    expect({ status, code: at(refusal, 'error', 'code'), field: at(refusal, 'error', 'param') }).toEqual({
      status: 400,
      code: 'invalid_request',
      field,
    });
  });

  it('of a file that is not the account’s is a 404', async () => {
    const stranger = await registerUser(api.url);
    const file = await uploadedId(api.url, stranger, {
      name: 'a.jsonl',
      bytes: Buffer.from('{"text":"One"}'),
    });
    for (const input_file_id of [file, UNKNOWN, 'nothing'])
      expect((await user.request('POST', BATCHES, { input_file_id })).status).toBe(404);
  });

  it('with too many values names the file as the way to send them, and one without credentials is not read', async () => {
    const body = JSON.stringify({ requests: [{ messages: Array.from({ length: 400_001 }, () => 0) }] });
    const { status, body: refusal } = await user.request('POST', BATCHES, body);
    expect({ status, message: at(refusal, 'error', 'message') }).toEqual({
      status: 400,
      message: expect.stringMatching(/400,000 values.*input_file_id/),
    });
    expect((await send(`${api.url}${BATCHES}`, { method: 'POST', body })).status).toBe(401);
  });

  it('whose shared fields make its requests too large is refused', async () => {
    const texts = Array.from({ length: 3_000 }, () => 'a');
    const { status, body } = await user.request('POST', BATCHES, {
      texts,
      system_prompt: 'x'.repeat(32_000),
    });
    expect({ status, message: at(body, 'error', 'message') }).toEqual({
      status: 400,
      message: expect.stringMatching(/64 MB.*input_file_id/),
    });
  });

  it('by a key without the scope rag may not reach collections', async () => {
    const { program } = await makeKey(api, user, { scopes: ['batch'] });
    const requests = [{ text: 'a', collection: 'default' }];
    expect((await program.request('POST', BATCHES, { requests })).status).toBe(403);
    expect((await program.request('POST', BATCHES, { texts: ['a'] })).status).toBe(202);
  });
});

describe('an Idempotency-Key', () => {
  it('makes one batch of ten concurrent requests', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => submitWithKey('one', { texts: ['a'] })),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    expect(new Set(answers.map(({ body }) => at(body, 'job_id'))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(9);
    expect(listAt((await user.request('GET', BATCHES)).body, 'data')).toHaveLength(1);
  });

  it('of another request is a conflict', async () => {
    await submitWithKey('two', { texts: ['a'] });
    const { status, body } = await submitWithKey('two', { texts: ['b'] });
    expect({ status, code: at(body, 'error', 'code') }).toEqual({
      status: 409,
      code: 'idempotency_key_reused',
    });
  });
});

describe('the limits of an account', () => {
  it('allow exactly 20 batches at once, and another one when one has ended', async () => {
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => user.request('POST', BATCHES, { texts: ['a'] })),
    );
    const accepted = answers.filter(({ status }) => status === 202);
    expect(accepted).toHaveLength(20);
    for (const { status, body } of answers.filter((answer) => !accepted.includes(answer)))
      expect({ status, code: at(body, 'error', 'code') }).toEqual({
        status: 429,
        code: 'batch_limit_exceeded',
      });
    await endBatch(api, String(at(accepted[0]?.body, 'job_id')));
    await submitBatch(user, { texts: ['a'] });
  });

  it('allow exactly 200,000 requests at once', async () => {
    const texts = Array.from({ length: 50_000 }, () => 'a');
    for (let count = 0; count < 3; count += 1) await submitBatch(user, { texts });
    const answers = await Promise.all(
      [texts, texts].map((list) => user.request('POST', BATCHES, { texts: list })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 429]);
    expect((await user.request('POST', BATCHES, { texts: ['a'] })).status).toBe(429);
  }, 300_000);
});

describe('a batch', () => {
  it('is listed newest first, in pages', async () => {
    const ids = [await submitBatch(user, { texts: ['a'] }), await submitBatch(user, { texts: ['b'] })];
    const { body: first } = await user.request('GET', `${BATCHES}?limit=1`);
    expect({ id: at(first, 'data', 0, 'job_id'), more: at(first, 'has_more') }).toEqual({
      id: ids[1],
      more: true,
    });
    const { body: second } = await user.request(
      'GET',
      `${BATCHES}?limit=1&after=${String(at(first, 'last_id'))}`,
    );
    expect({ id: at(second, 'data', 0, 'job_id'), more: at(second, 'has_more') }).toEqual({
      id: ids[0],
      more: false,
    });
  });

  it('shows its counts, its usage and an estimate of its end while it runs', async () => {
    const id = await submitBatch(user, { texts: ['a', 'b', 'c', 'd'] });
    await endItems(api, id, { status: 'completed', lines: [2], response: ANSWER });
    const { body } = await user.request('GET', `${BATCHES}/${id}`);
    expect(body).toMatchObject({
      status: 'running',
      counts: { total: 4, waiting: 3, completed: 1 },
      usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
    });
    expect(Date.parse(String(at(body, 'estimated_end_at')))).toBeGreaterThan(
      Date.parse(String(at(body, 'started_at'))),
    );
  });

  it('of another account is a 404 on every route', async () => {
    const id = await submitBatch(user, { texts: ['a'] });
    const stranger = await registerUser(api.url);
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/results'],
      ['GET', '/results?limit=1'],
      ['GET', '/events'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
      ['DELETE', ''],
    ] as const) {
      for (const [who, batch] of [
        [stranger, id],
        [user, UNKNOWN],
      ] as const) {
        const { status } = await who.request(method, `${BATCHES}/${batch}${path}`);
        expect({ method, path, status }).toEqual({ method, path, status: 404 });
      }
    }
    expect(listAt((await stranger.request('GET', BATCHES)).body, 'data')).toEqual([]);
    expect((await user.request('GET', `${BATCHES}/${id}`)).status).toBe(200);
  });

  it('that is cancelled begins to end, and cannot be retried before', async () => {
    const id = await submitBatch(user, { texts: ['a'] });
    expect((await user.request('POST', `${BATCHES}/${id}/retry`)).status).toBe(400);
    const { status, body } = await user.request('POST', `${BATCHES}/${id}/cancel`);
    expect({ status, state: at(body, 'status') }).toEqual({
      status: 200,
      state: expect.stringMatching(/^(cancelling|cancelled)$/),
    });
  });

  it('that has ended runs its failed requests again, and keeps the others', async () => {
    const id = await submitBatch(user, { texts: ['a', 'b'] });
    await endItems(api, id, { status: 'completed', lines: [1], response: ANSWER });
    await endItems(api, id, {
      status: 'failed',
      lines: [2],
      response: { error: { code: 'x', message: 'y' } },
    });
    await endBatch(api, id);
    const { body } = await user.request('POST', `${BATCHES}/${id}/retry`);
    expect(body).toMatchObject({
      status: 'queued',
      ended_at: null,
      counts: { completed: 1, failed: 0, waiting: 1 },
    });
    expect((await readLines(user, id)).map((line) => at(line, 'line'))).toEqual([1]);
  });

  it('whose file had faults has nothing to retry', async () => {
    const id = await submitBatch(user, { texts: ['a'] });
    await query(
      api.database,
      `UPDATE batches SET status = 'failed', total = NULL, ended_at = now() WHERE id = $1`,
      [id],
    );
    const { status, body } = await user.request('POST', `${BATCHES}/${id}/retry`);
    expect({ status, state: at(body, 'status') }).toEqual({ status: 200, state: 'failed' });
  });

  it('that is deleted is gone', async () => {
    const id = await submitBatch(user, { texts: ['a'] });
    expect((await user.request('DELETE', `${BATCHES}/${id}`)).status).toBe(204);
    expect((await user.request('GET', `${BATCHES}/${id}`)).status).toBe(404);
    expect((await user.request('DELETE', `${BATCHES}/${id}`)).status).toBe(404);
    expect(listAt((await user.request('GET', BATCHES)).body, 'data')).toEqual([]);
  });
});

describe('the results of a batch', () => {
  it('are those of the requests that have ended, in the order of the input', async () => {
    const id = await submitBatch(user, { texts: ['a', 'b', 'c', 'd'] });
    expect(await readLines(user, id)).toEqual([]);
    await endItems(api, id, {
      status: 'failed',
      lines: [3],
      response: { error: { code: 'x', message: 'y' } },
    });
    await endItems(api, id, { status: 'completed', lines: [2], response: ANSWER });
    expect(await readLines(user, id)).toMatchObject([
      {
        custom_id: 'request-2',
        line: 2,
        status: 'completed',
        text: 'Hello',
        response: { status_code: 200, body: ANSWER },
        error: null,
        usage: { total_tokens: 5 },
      },
      { custom_id: 'request-3', line: 3, status: 'failed', text: null, error: { code: 'x', message: 'y' } },
    ]);
    expect(await readLines(user, id, '?status=completed&response=none')).toEqual([
      expect.not.objectContaining({ response: expect.anything() }),
    ]);
  });

  it('are the same as lines and in pages of any size, also if they are large', async () => {
    const texts = Array.from({ length: 450 }, () => 'a');
    const id = await submitBatch(user, { texts });
    const large = { choices: [{ message: { content: 'x'.repeat(20_000) } }] };
    await endItems(api, id, {
      status: 'completed',
      lines: texts.map((_, index) => index + 1),
      response: large,
    });
    const all = texts.map((_, index) => index + 1);
    const { body, headers } = await user.request('GET', `${BATCHES}/${id}/results`);
    expect(headers.get('content-type')).toBe('application/jsonl; charset=utf-8');
    expect(String(body).trimEnd().split('\n')).toHaveLength(450);
    expect((await readLines(user, id)).map((line) => at(line, 'line'))).toEqual(all);
    // 4 MB of responses fit into a page, whatever its limit.
    const pages = await readPages(user, id, 1000);
    expect(pages).toEqual({ lines: all, pages: 3 });
    expect((await readPages(user, id, 90)).lines).toEqual(all);
  });
});

describe('the events of a batch', () => {
  it('are its states until it has ended, and a client that returns does not get the one it has', async () => {
    const id = await submitBatch(user, { texts: ['a'] });
    const headers = { authorization: `Bearer ${user.token}` };
    const ids: (string | undefined)[] = [];
    const states: unknown[] = [];
    for await (const event of streamEvents(`${api.url}${BATCHES}/${id}/events`, { headers })) {
      ids.push(event.id);
      states.push(event.data === '[DONE]' ? event.data : at(event.data, 'status'));
      if (states.length === 1) await endItems(api, id, { status: 'completed', lines: [1], response: ANSWER });
      if (states.at(-1) === 'running') await endBatch(api, id);
    }
    expect(states).toEqual(['queued', 'running', 'completed', '[DONE]']);
    const last = { ...headers, 'last-event-id': String(ids[2]) };
    const rest = await Array.fromAsync(streamEvents(`${api.url}${BATCHES}/${id}/events`, { headers: last }));
    expect(rest.map(({ data }) => data)).toEqual(['[DONE]']);
    const first = { ...headers, 'last-event-id': String(ids[0]) };
    const missed = await Array.fromAsync(
      streamEvents(`${api.url}${BATCHES}/${id}/events`, { headers: first }),
    );
    expect(missed.map(({ data }) => at(data, 'status') ?? data)).toEqual(['completed', '[DONE]']);
  });
});
