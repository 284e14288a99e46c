// Real components: the official OpenAI client, the API on a socket with its jobs, PostgreSQL and the provider's protocol.
import { beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { batchLine, uploadBatchInput } from '../../support/batches.js';
import { at, listAt } from '../../support/client.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { asking } from '../../support/api.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query, until } from '../../support/stored.js';

const CREATE = { endpoint: '/v1/chat/completions', completion_window: '24h' } as const;
const ENDED = ['completed', 'failed', 'expired', 'cancelled'];
const NOBODY = 'batch_0199a3f05b7e7cc39d3a2f6f1c0e9a11';
const MEGABYTE = 2 ** 20;

const provider = setUpProvider();
const api = setUpApi(() => asking(provider));
const user = setUpUser(api);
const stranger = setUpUser(api);
let client: OpenAI;
let other: OpenAI;

function clientOf(token: string): OpenAI {
  return new OpenAI({ baseURL: `${api.url}/v1`, apiKey: token, logLevel: 'off', maxRetries: 0 });
}

beforeAll(() => {
  client = clientOf(user.token);
  other = clientOf(stranger.token);
});

/** Uploads lines with the official client, and creates a batch of them. */
async function createBatch(
  lines: string,
  more: Partial<OpenAI.BatchCreateParams> = {},
): Promise<OpenAI.Batch> {
  const file = await client.files.create({
    file: await toFile(Buffer.from(lines), 'a.jsonl'),
    purpose: 'batch',
  });
  return client.batches.create({ ...CREATE, ...more, input_file_id: file.id });
}

/** Waits for the end of a batch. */
function untilEnded(id: string): Promise<OpenAI.Batch> {
  return until('a batch to end', async () => {
    const batch = await client.batches.retrieve(id);
    return ENDED.includes(batch.status) && batch;
  });
}

/** Returns the results in a file. */
async function readResults(fileId: string | null | undefined): Promise<unknown[]> {
  if (typeof fileId !== 'string') return [];
  const text = await (await client.files.content(fileId)).text();
  return text.split('\n').flatMap((line): unknown => (line === '' ? [] : [JSON.parse(line)]));
}

/** Returns the UUID of an id in OpenAI's format. */
const toUuid = (id: string): string =>
  id.replace(/^[a-z]+[-_](.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const idsOf = (results: readonly unknown[]): unknown[] => results.map((result) => at(result, 'custom_id'));

describe('a batch of the official client', () => {
  it('is answered: each request once, with its usage, in the output file', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `row-${index + 1}`);
    const created = await createBatch(names.map((name) => batchLine(name)).join('\n'), {
      metadata: { project: 'reviews' },
    });
    expect(created).toMatchObject({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/),
      object: 'batch',
      status: 'validating',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      model: null,
      errors: null,
      output_file_id: null,
      error_file_id: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      metadata: { project: 'reviews' },
    });
    const batch = await untilEnded(created.id);
    expect(batch).toMatchObject({
      status: 'completed',
      error_file_id: null,
      request_counts: { total: 30, completed: 30, failed: 0 },
      in_progress_at: expect.any(Number),
      finalizing_at: expect.any(Number),
      completed_at: expect.any(Number),
      failed_at: null,
      cancelled_at: null,
    });
    const results = await readResults(batch.output_file_id);
    expect(idsOf(results)).toEqual(names);
    expect(new Set(results.map((result) => at(result, 'id'))).size).toBe(30);
    for (const result of results)
      expect(result).toMatchObject({
        id: expect.stringMatching(/^batch_req_/),
        response: {
          status_code: 200,
          request_id: expect.any(String),
          body: { object: 'chat.completion', choices: [{ message: { role: 'assistant' } }] },
        },
        error: null,
      });
    const sum = (name: string): number =>
      results.reduce<number>(
        (total, result) => total + Number(at(result, 'response', 'body', 'usage', name)),
        0,
      );
    expect(batch.usage).toMatchObject({
      input_tokens: sum('prompt_tokens'),
      output_tokens: sum('completion_tokens'),
      total_tokens: sum('total_tokens'),
    });
  });

  it('lists its output file with the purpose batch_output, which expires as the batch says', async () => {
    const { id } = await createBatch(batchLine('a'), {
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
    });
    const { output_file_id: fileId } = await untilEnded(id);
    const file = await client.files.retrieve(fileId ?? '');
    expect(file).toMatchObject({ object: 'file', purpose: 'batch_output', status: 'processed' });
    expect(file.expires_at).toBe(file.created_at + 3600);
    const listed = await Array.fromAsync(client.files.list({ purpose: 'batch_output' }));
    expect(listed.map((one) => one.id)).toContain(fileId);
    // The product's route shows it, too, as it is documented there.
    const { body: shown } = await user.request('GET', `/api/v1/files/${toUuid(fileId ?? '')}`);
    const document: unknown = await (await fetch(`${api.url}/docs-json`)).json();
    const documented = at(document, 'components', 'schemas', 'FileBody', 'properties', 'purpose', 'enum');
    expect(documented).toContain(at(shown, 'purpose'));
    // Bytes of the account, which its quota counts.
    const [content] = await query(
      api.database,
      `SELECT file_contents.size FROM file_contents JOIN files ON files.content_id = file_contents.id
       WHERE files.id = $1 AND files.user_id = file_contents.user_id`,
      [toUuid(fileId ?? '')],
    );
    expect(content).toEqual({ size: file.bytes });
    await expect(other.files.content(fileId ?? '')).rejects.toMatchObject({ status: 404 });
    for (const path of ['', '/content']) {
      const { status } = await stranger.request('GET', `/api/v1/files/${toUuid(fileId ?? '')}${path}`);
      expect([path, status]).toEqual([path, 404]);
    }
  });

  it('ends without an output file whose earlier copy its owner has deleted', async () => {
    const { id } = await createBatch(batchLine('a'));
    const { output_file_id: fileId } = await untilEnded(id);
    await client.files.delete(fileId ?? '');
    // As if its process had been killed after the file was written.
    await query(
      api.database,
      "UPDATE batches SET status = 'finalizing', ended_at = NULL, due_at = now(), output_file_id = NULL WHERE id = $1",
      [toUuid(id)],
    );
    expect(await untilEnded(id)).toMatchObject({ status: 'completed', output_file_id: null });
  });

  it.each([
    ['/v1/completions', { prompt: 'Hello' }, { object: 'text_completion' }],
    ['/v1/embeddings', { model: 'openai/embedder', input: ['One', 'Two'] }, { object: 'list' }],
  ] as const)('is answered by %s', async (endpoint, body, answer) => {
    const { id } = await createBatch(batchLine('a', { url: endpoint, body }), { endpoint });
    const batch = await untilEnded(id);
    expect(await readResults(batch.output_file_id)).toMatchObject([
      { custom_id: 'a', response: { status_code: 200, body: answer } },
    ]);
  });

  it('has the requests that failed in the error file, with the response of the route', async () => {
    const lines = [
      batchLine('good'),
      batchLine('streamed', { body: { messages: [{ role: 'user', content: 'Hi' }], stream: true } }),
      batchLine('incomplete', { body: {} }),
    ];
    const { id } = await createBatch(lines.join('\n'));
    const batch = await untilEnded(id);
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 3, completed: 1, failed: 2 },
    });
    expect(idsOf(await readResults(batch.output_file_id))).toEqual(['good']);
    expect(await readResults(batch.error_file_id)).toMatchObject([
      {
        custom_id: 'streamed',
        response: { status_code: 400, body: { error: { code: 'invalid_request', param: 'stream' } } },
        error: null,
      },
      { custom_id: 'incomplete', response: { status_code: 400, body: { error: { param: 'messages' } } } },
    ]);
  });

  it('has no output file if all of its requests fail, and is completed', async () => {
    const unknown = { model: 'openai/none', messages: [] };
    const { id } = await createBatch([1, 2].map((row) => batchLine(`r${row}`, { body: unknown })).join('\n'));
    const batch = await untilEnded(id);
    expect(batch).toMatchObject({
      status: 'completed',
      output_file_id: null,
      request_counts: { total: 2, completed: 0, failed: 2 },
    });
    expect(idsOf(await readResults(batch.error_file_id))).toEqual(['r1', 'r2']);
  });

  it('has each request once after it is cancelled, those that did not run with their code', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `row-${index + 1}`);
    const gate = gatedAnswer(['late']);
    provider.script({ kind: 'answer', text: 'first' });
    provider.setDefault(gate);
    const { id } = await createBatch(names.map((name) => batchLine(name)).join('\n'));
    await until('a request to be answered', async () => {
      const { request_counts: counts } = await client.batches.retrieve(id);
      return (counts?.completed ?? 0) > 0;
    });
    const cancelling = await client.batches.cancel(id);
    expect(['cancelling', 'cancelled']).toContain(cancelling.status);
    gate.finish();
    const batch = await untilEnded(id);
    expect(batch).toMatchObject({
      status: 'cancelled',
      cancelling_at: expect.any(Number),
      cancelled_at: expect.any(Number),
    });
    const [output, errors] = [
      await readResults(batch.output_file_id),
      await readResults(batch.error_file_id),
    ];
    expect(idsOf([...output, ...errors]).toSorted()).toEqual(names.toSorted());
    expect(output.length).toBeGreaterThan(0);
    for (const result of errors)
      expect(result).toMatchObject({ response: null, error: { code: 'batch_cancelled' } });
    expect(await client.batches.cancel(id)).toMatchObject({ status: 'cancelled' });
  });

  it('has the time after which the client asks again, until it has ended', async () => {
    const gate = gatedAnswer(['late']);
    provider.setDefault(gate);
    const { id } = await createBatch(batchLine('a'));
    await provider.nextRequest('chat');
    const { data, response } = await client.batches.retrieve(id).withResponse();
    expect(data.status).toBe('in_progress');
    expect(Number(response.headers.get('openai-poll-after-ms'))).toBe(1000);
    gate.finish();
    await untilEnded(id);
    const last = await client.batches.retrieve(id).withResponse();
    expect(last.response.headers.get('openai-poll-after-ms')).toBeNull();
  });
});

describe('the list of batches', () => {
  it('has all of them by pages, newest first, and none of other accounts', async () => {
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) ids.unshift((await createBatch(batchLine(name))).id);
    const listed = await Array.fromAsync(client.batches.list({ limit: 2 }));
    expect(listed.map(({ id }) => id).slice(0, 3)).toEqual(ids);
    const page = await user.request('GET', `/v1/batches?limit=2&after=${String(ids[0])}`);
    expect(listAt(page.body, 'data').map((batch) => at(batch, 'id'))).toEqual([ids[1], ids[2]]);
    expect((await other.batches.list()).data).toEqual([]);
    for (const wrong of ['limit=0', 'limit=101', 'after=none'])
      expect((await user.request('GET', `/v1/batches?${wrong}`)).status).toBe(400);
  });
});

describe('a request to create a batch', () => {
  it.each([
    ['no endpoint', { endpoint: undefined }, 'endpoint'],
    ['another endpoint', { endpoint: '/v1/batches' }, 'endpoint'],
    ['another window', { completion_window: '1h' }, 'completion_window'],
    ['a number as metadata', { metadata: { rows: 1 } }, 'metadata.rows'],
    ['a long value of metadata', { metadata: { rows: 'x'.repeat(513) } }, 'metadata.rows'],
    ['a long name of metadata', { metadata: { ['x'.repeat(65)]: '1' } }, 'metadata'],
    [
      'many metadata',
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ''])) },
      'metadata',
    ],
    [
      'a short expiry',
      { output_expires_after: { anchor: 'created_at', seconds: 3599 } },
      'output_expires_after.seconds',
    ],
    [
      'another anchor',
      { output_expires_after: { anchor: 'last_active_at', seconds: 3600 } },
      'output_expires_after.anchor',
    ],
  ])('with %s is refused', async (_what, more, param) => {
    const input_file_id = await uploadBatchInput(api.url, user, batchLine('a'));
    const { status, body } = await user.request('POST', '/v1/batches', { ...CREATE, input_file_id, ...more });
    expect([status, at(body, 'error', 'code'), at(body, 'error', 'param')]).toEqual([
      400,
      'invalid_request',
      param,
    ]);
  });

  it('needs a file of the account with the purpose batch', async () => {
    const image = await client.files.create({
      file: await toFile(Buffer.from('x'), 'a.txt'),
      purpose: 'user_data',
    });
    await expect(client.batches.create({ ...CREATE, input_file_id: image.id })).rejects.toMatchObject({
      status: 400,
      param: 'input_file_id',
    });
    const foreign = await uploadBatchInput(api.url, stranger, batchLine('a'));
    for (const id of [foreign, 'file-0199a3f05b7e7cc39d3a2f6f1c0e9a11', 'file-none'])
      await expect(client.batches.create({ ...CREATE, input_file_id: id })).rejects.toMatchObject({
        status: 404,
        message: expect.stringContaining(id),
      });
  });

  it('creates one batch for one Idempotency-Key, and refuses another one', async () => {
    const input_file_id = await uploadBatchInput(api.url, user, batchLine('a'));
    const options = { headers: { 'Idempotency-Key': 'batch-1' } };
    const first = await client.batches.create({ ...CREATE, input_file_id }, options);
    const again = await client.batches.create({ ...CREATE, input_file_id }, options).withResponse();
    expect(again.data.id).toBe(first.id);
    expect(again.response.headers.get('idempotent-replayed')).toBe('true');
    await expect(
      client.batches.create({ ...CREATE, input_file_id, metadata: { a: 'b' } }, options),
    ).rejects.toMatchObject({ status: 409, code: 'idempotency_key_reused' });
  });

  it('creates one batch for one Idempotency-Key, also after its input file was deleted', async () => {
    const input = await uploadBatchInput(
      api.url,
      user,
      batchLine('a', { body: { model: 'openai/test-model', messages: [] } }),
    );
    const body = { ...CREATE, input_file_id: input };
    const options = { headers: { 'Idempotency-Key': 'batch-2' } };
    const first = await client.batches.create(body, options);
    expect((await untilEnded(first.id)).model).toBe('openai/test-model');
    await client.files.delete(input);
    expect((await client.batches.create(body, options)).id).toBe(first.id);
    await expect(client.batches.create(body)).rejects.toMatchObject({ status: 404 });
  });
});

describe('the validation of a file', () => {
  it('accepts a byte order mark, CRLF, a blank last line and a line of 10 MB', async () => {
    const large = batchLine('large', {
      body: { messages: [{ role: 'user', content: 'x'.repeat(10 * MEGABYTE) }] },
    });
    const { id } = await createBatch(
      `\ufeff${batchLine('marked')}\r\n${large}\r\n${batchLine('last')}\r\n\r\n`,
    );
    const batch = await untilEnded(id);
    expect(batch.request_counts?.total).toBe(3);
    const results = [
      ...(await readResults(batch.output_file_id)),
      ...(await readResults(batch.error_file_id)),
    ];
    expect(idsOf(results).toSorted()).toEqual(['large', 'last', 'marked']);
  });

  it.each<[string, string | Uint8Array, object[]]>([
    ['text that is no JSON', `${batchLine('a')}\n{"custom_id"`, [{ code: 'invalid_json_line', line: 2 }]],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from(batchLine('a')), Buffer.from([0x0a, 0x22, 0xff, 0x22])]),
      [{ code: 'invalid_json_line', line: 2 }],
    ],
    [
      'a custom_id twice',
      [batchLine('a'), batchLine('b'), batchLine('a')].join('\n'),
      [{ code: 'duplicate_custom_id', line: 3, param: 'custom_id' }],
    ],
    [
      'another endpoint, and a batch in the batch',
      [batchLine('a', { url: '/v1/embeddings' }), batchLine('b', { url: '/v1/batches' })].join('\n'),
      [
        { code: 'url_mismatch', line: 1, param: 'url' },
        { code: 'url_mismatch', line: 2, param: 'url' },
      ],
    ],
    [
      'two models',
      ['one', 'two'].map((model) => batchLine(model, { body: { model, messages: [] } })).join('\n'),
      [{ code: 'model_mismatch', line: 2, param: 'body.model' }],
    ],
    ['blank lines only', '\r\n\n', [{ code: 'empty_file', line: null }]],
    [
      '50,001 lines',
      Array.from({ length: 50_001 }, (_, row) => batchLine(String(row))).join('\n'),
      [{ code: 'too_many_tasks', line: null }],
    ],
  ])('fails the batch for %s, and says where', async (_what, content, errors) => {
    const bytes = Buffer.from(content);
    // PostgreSQL then expects few requests in each batch.
    await query(api.database, 'ALTER TABLE batch_items SET (autovacuum_enabled = off)');
    await query(api.database, 'ANALYZE batch_items');
    const file = await client.files.create({ file: await toFile(bytes, 'a.jsonl'), purpose: 'batch' });
    const { id } = await client.batches.create({ ...CREATE, input_file_id: file.id });
    const batch = await untilEnded(id);
    expect(batch).toMatchObject({ status: 'failed', failed_at: expect.any(Number), output_file_id: null });
    expect(batch.errors).toMatchObject({ object: 'list', data: errors });
    expect(provider.requests.filter(({ route }) => route === 'chat')).toEqual([]);
  });
});

describe('a batch of another account', () => {
  it('does not exist', async () => {
    const { id } = await createBatch(batchLine('a'));
    for (const one of [id, NOBODY, 'batch_none']) {
      const gone = { status: 404, code: 'not_found', message: expect.stringContaining(one) };
      await expect(other.batches.retrieve(one)).rejects.toMatchObject(gone);
      await expect(other.batches.cancel(one)).rejects.toMatchObject(gone);
    }
    expect((await untilEnded(id)).status).toBe('completed');
  });
});
