// Real components: the API on a socket, PostgreSQL, and Ollama's protocol on both sides; relayed data is
// compared byte by byte. Chat and generate run the same cases on a table of raw lines, and the remaining
// routes use the same server.
import { type IncomingMessage, request as openRequest } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { startApi } from '../../support/api.js';
import { type ApiResponse, at, registerUser, send, type TestUser } from '../../support/client.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query, type Row, until } from '../../support/stored.js';

const CHAT = '/ollama/api/chat';
const GENERATE = '/ollama/api/generate';
const TAGS = '/ollama/api/tags';
const PATHS = [CHAT, GENERATE] as const;

/** Usage reported by a provider, with values that counting would not yield. */
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };

/**
 * Lines of both paths, with everything that a server may send and that parsing and serializing would lose.
 */
const LINES = {
  [CHAT]: [
    '{"model":"llama3.2","created_at":"2026-01-05T12:00:00.123456789Z", "message" : {"role":"assistant","content":"Gr\\u00fc\\u00dfe "},"done":false}\n',
    '  {"model":"llama3.2","message":{"role":"assistant","content":"👋🏽","thinking":"hm","novelty":1.50},"done":false,"n":1e2}\r\n',
    '\n',
    '{"progress":0.5}\n',
    'this is no JSON\n',
    '{"model":"llama3.2","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"clock","arguments":{"b":1,"a":2}}}]},"done":false}\n',
    '{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":41,"eval_count":17,"total_duration":12345678901234567890}\n',
  ],
  [GENERATE]: [
    '{"model":"llama3.2", "response":"Gr\\u00fc\\u00dfe ","done":false}\n',
    '{"model":"llama3.2","response":"","thinking":"👋🏽","done":false,"n":1e2}\r\n',
    '{"progress":0.5}\n',
    '{"model":"llama3.2","response":"","done":true,"done_reason":"stop","context":[1,2,3],"prompt_eval_count":41,"eval_count":17}\n',
  ],
} as const;

/** Number of pieces of 64 kB each, about 83 MB in total. */
const PIECES = 1300;

const provider = setUpProvider();
const api = setUpApi(() => ({
  OLLAMA_BASE_URL: provider.origin,
  OPENAI_BASE_URL: provider.baseUrl,
  LLM_MAX_RETRIES: '0',
  LLM_ANSWER_TIMEOUT_MS: '2000',
  MAX_UPLOAD_MB: '2',
  MODEL_ALIASES: JSON.stringify({
    local: ['openai/test-model', 'ollama/aliased'],
    remote: ['openai/test-model'],
  }),
}));
const user = setUpUser(api);

/** A request for the path with one user message or prompt. */
function ask(path: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const said =
    path === CHAT ? { messages: [{ role: 'user', content: 'one two three' }] } : { prompt: 'one two three' };
  return { model: 'llama3.2', ...said, ...more };
}

async function post(
  path: string,
  body: unknown,
  { owner = user, signal }: { owner?: TestUser; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(api.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${owner.token}` },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

/** Parses the lines of a stream. */
function linesOf(text: string): unknown[] {
  expect(text).toMatch(/\n$/);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line): unknown => JSON.parse(line));
}

/** Returns the usage records of an account once there are at least that many. */
async function usageWhen({ email }: TestUser, count: number): Promise<Row[]> {
  return until(`${count} usage records`, async () => {
    const rows = await query(
      api.database,
      `SELECT provider, model, outcome, input_tokens, output_tokens, estimated
       FROM usage_records JOIN users ON users.id = user_id WHERE email = $1 ORDER BY call_id, attempt`,
      [email],
    );
    return rows.length >= count && rows;
  });
}

/** Checks the format of an error and returns its message. */
function sentenceOf({ body, headers }: ApiResponse): string {
  expect(headers.get('content-type')).toMatch(/^application\/json/);
  expect(body).toEqual({ error: expect.stringMatching(/\w/) });
  return String(at(body, 'error'));
}

describe.each(PATHS)('POST %s', (path) => {
  const upstream = path.replace('/ollama', '');

  it.each([undefined, 1, 7])('streams the answer byte for byte (in pieces of %s)', async (splitBytes) => {
    const body = LINES[path].join('');
    provider.script({ kind: 'verbatim', body, ...(splitBytes && { splitBytes }) });
    const response = await post(path, ask(path));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    const got = await bytesOf(response);
    expect(got.toString()).toBe(body);
    expect(got.equals(Buffer.from(body))).toBe(true);
    expect(provider.requests.at(-1)).toMatchObject({
      path: upstream,
      body: { model: 'llama3.2', stream: true },
    });
  });

  it('relays a last line without a line break', async () => {
    const body = LINES[path].join('').slice(0, -1);
    provider.script({ kind: 'verbatim', body });
    expect((await bytesOf(await post(path, ask(path)))).toString()).toBe(body);
  });

  it('returns a non-streamed answer byte for byte', async () => {
    const body = ` { "done":true ,\r\n "model":"x", "message":{"content":"Gr\\u00fc\\u00dfe"}, "response":"👋🏽", "n":1.50}\n`;
    provider.script({ kind: 'verbatim', body });
    const response = await post(path, ask(path, { stream: false }));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect((await bytesOf(response)).equals(Buffer.from(body))).toBe(true);
    expect(provider.requests.at(-1)).toMatchObject({ path: upstream, body: { stream: false } });
  });

  it('forwards the body unchanged except for model and stream', async () => {
    const body = ask(path, {
      model: 'ollama/library/llava:7b',
      keep_alive: '5m',
      think: 'high',
      format: { type: 'object', properties: { age: { type: 'integer' } } },
      options: { num_ctx: 8192, temperature: 0.1, mirostat: 2 },
      images: ['iVBORw0KGgo='],
      tools: [{ type: 'function', function: { name: 'clock', parameters: { type: 'object' } } }],
      novelty: { deep: [1, null, 'x'] },
      ...(path === CHAT && {
        messages: [
          { role: 'user', content: 'Look.', images: ['iVBORw0KGgo='] },
          {
            role: 'assistant',
            content: '',
            tool_calls: [{ function: { name: 'clock', arguments: { a: 1 } } }],
          },
          { role: 'tool', content: '12:00', tool_name: 'clock' },
        ],
      }),
    });
    for (const stream of [undefined, null, true, false]) {
      const sent = { ...body, ...(stream !== undefined && { stream }) };
      expect((await post(path, sent)).status).toBe(200);
      const expected = { ...body, model: 'library/llava:7b', stream: stream !== false };
      expect(provider.requests.at(-1)?.body).toEqual(expected);
    }
  });

  it.each([
    ['llama3.2', 'llama3.2'],
    ['llama3.2:latest', 'llama3.2:latest'],
    ['ollama/llama3.2:1b', 'llama3.2:1b'],
    ['hf.co/someone/some-model:Q4_K_M', 'hf.co/someone/some-model:Q4_K_M'],
    ['local', 'aliased'],
  ])('sends the model name %s as %s', async (model, name) => {
    expect((await post(path, ask(path, { model }))).status).toBe(200);
    expect(provider.requests.filter(({ route }) => route === 'chat')).toMatchObject([
      { path: upstream, body: { model: name } },
    ]);
  });

  it.each(['openai/test-model', 'remote', 'demo/echo'])(
    'refuses %s, which is not an Ollama model',
    async (model) => {
      const answer = await user.request('POST', path, ask(path, { model }));
      expect(answer.status).toBe(404);
      expect(sentenceOf(answer)).toContain(model);
      expect(provider.requests).toEqual([]);
    },
  );

  it('loads and unloads a model', async () => {
    const piece = path === CHAT ? '"message":{"role":"assistant","content":""}' : '"response":""';
    for (const reason of ['load', 'unload']) {
      const body = `{"model":"llama3.2","created_at":"x",${piece},"done":true,"done_reason":"${reason}"}\n`;
      const keep_alive = reason === 'load' ? -1 : 0;
      const requests = [
        { model: 'llama3.2', keep_alive },
        { model: 'llama3.2', keep_alive, stream: false },
      ];
      if (path === CHAT) requests.push({ model: 'llama3.2', keep_alive, ...{ messages: [] } });
      for (const request of requests) {
        provider.script({ kind: 'verbatim', body });
        const response = await post(path, request);
        expect([response.status, await response.text()]).toEqual([200, body]);
        expect(provider.requests.at(-1)?.body).toMatchObject(request);
      }
    }
  });

  it('records the usage reported by the server, or an estimate', async () => {
    const owner = await registerUser(api.url);
    provider.script(
      { kind: 'answer', usage: USAGE },
      { kind: 'answer', usage: USAGE },
      { kind: 'answer', usage: 'none' },
    );
    await (await post(path, ask(path), { owner })).text();
    await (await post(path, ask(path, { stream: false }), { owner })).text();
    await (await post(path, ask(path), { owner })).text();
    const response = {
      provider: 'ollama',
      model: 'llama3.2',
      outcome: 'completed',
      input_tokens: 41,
      output_tokens: 17,
      estimated: false,
    };
    expect(await usageWhen(owner, 3)).toEqual([
      response,
      response,
      { ...response, input_tokens: expect.any(Number), output_tokens: 3, estimated: true },
    ]);
  });

  it('closes the upstream request when the client disconnects, and records its usage', async () => {
    const owner = await registerUser(api.url);
    const gate = gatedAnswer(['four', ' five', ' six']);
    gate.release(2);
    provider.script(gate);
    const asked = provider.nextRequest('chat');
    const abort = new AbortController();
    const response = await post(path, ask(path), { owner, signal: abort.signal });
    await response.body?.getReader().read();
    const { closed } = await asked;
    abort.abort();
    expect(await closed).toMatchObject({ by: 'client' });
    expect(await usageWhen(owner, 1)).toMatchObject([{ outcome: 'cancelled', estimated: true }]);
  });

  it('ends a stream that fails midway with an error line', async () => {
    const failures = [
      {
        kind: 'errorInStream',
        text: ['four', ' five'],
        afterChunks: 1,
        error: { message: 'The context length is 10.' },
      },
      { kind: 'cut', text: ['four', ' five'], afterChunks: 1 },
    ] as const;
    for (const failure of failures) {
      provider.script({ kind: 'answer' }, { kind: 'answer' }, failure);
      for (let count = 0; count < 2; count += 1) await (await post(path, ask(path))).text();
      const response = await post(path, ask(path));
      expect(response.status).toBe(200);
      const [first, last, ...more] = linesOf(await response.text());
      expect(at(first, 'response') ?? at(first, 'message', 'content')).toBe('four');
      expect(last).toEqual({ error: expect.stringMatching(/\w/) });
      if (failure.kind === 'errorInStream') expect(at(last, 'error')).toBe('The context length is 10.');
      expect(more).toEqual([]);
    }
  });

  it('applies backpressure if the client does not read', async () => {
    // More than the sockets on the way buffer: on some machines a receive buffer grows to 32 MB, and there
    // are two of them.
    const piece = 'x'.repeat(64_000);
    provider.script({ kind: 'answer', text: Array.from({ length: PIECES }, () => piece) });
    const asked = provider.nextRequest('chat');
    const outgoing = openRequest(api.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
    });
    outgoing.end(JSON.stringify(ask(path)));
    const response = await answered;
    response.pause();
    const { closed } = await asked;
    const heldUp = Promise.race([
      closed.then(() => 'sent'),
      new Promise<string>((resolve) => setTimeout(resolve, 1500, 'held up')),
    ]);
    expect(await heldUp).toBe('held up');
    const body = await buffer(response);
    expect(body.length).toBeGreaterThan(PIECES * 64_000);
    expect((await closed).by).toBe('server');
    expect(linesOf(body.toString()).at(-1)).toMatchObject({ done: true });
  });
});

describe('errors have a message in Ollama’s format', () => {
  it.each(PATHS)('without credentials on %s', async (path) => {
    const answer = await send(api.url + path, { method: 'POST', body: ask(path) });
    expect(answer.status).toBe(401);
    sentenceOf(answer);
  });

  it.each<[string, number, string | object]>([
    ['malformed JSON', 400, '{"model":'],
    ['a missing model', 400, { messages: [] }],
    ['a model that is not a string', 400, { model: 7 }],
    ['a model with a NUL character', 400, { model: 'a\u0000b' }],
    ['messages that are not an array', 400, { model: 'x', messages: 'hello' }],
    ['content that is not a string', 400, { model: 'x', messages: [{ role: 'user', content: [] }] }],
    ['a stream parameter that is not a boolean', 400, { model: 'x', stream: 'yes' }],
    ['a body that is too large', 413, { model: 'x', padding: 'x'.repeat(3_000_000) }],
  ])('for %s', async (_name, status, body) => {
    const answer = await user.request('POST', CHAT, body);
    expect([answer.status, sentenceOf(answer)]).toEqual([status, expect.any(String)]);
    expect(provider.requests).toEqual([]);
  });

  it('but not for a body up to the upload limit', async () => {
    expect((await user.request('POST', CHAT, ask(CHAT, { padding: 'x'.repeat(1_900_000) }))).status).toBe(
      200,
    );
  });

  it('but not for a body without a JSON content type, as in Ollama’s documentation', async () => {
    const response = await fetch(api.url + GENERATE, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: JSON.stringify(ask(GENERATE, { stream: false })),
    });
    expect(await response.json()).toMatchObject({ response: 'one two three', done: true });
  });

  it.each<[number, number, string | undefined, string]>([
    [404, 404, undefined, "model 'missing' not found"],
    [400, 400, 'num_ctx is wrong', 'num_ctx is wrong'],
    [429, 429, undefined, 'rate limiting requests'],
  ])('if the server responds with %d', async (status, response, message, sentence) => {
    for (const stream of [false, true]) {
      provider.script({ kind: 'error', status, retryAfter: 7, ...(message && { message }) });
      const answer = await user.request('POST', CHAT, ask(CHAT, { stream }));
      expect(answer.status).toBe(response);
      expect(sentenceOf(answer)).toContain(sentence);
      expect(answer.headers.get('retry-after')).toBe('7');
    }
  });

  it('for unknown routes', async () => {
    for (const path of ['/ollama', '/ollama/api/nothing', '/ollama/api/chat?x=1']) {
      const answer = await user.request('GET', path);
      expect(answer.status).toBe(404);
      sentenceOf(answer);
    }
    expect(at((await user.request('GET', '/ollamas')).body, 'error', 'code')).toBe('not_found');
  });
});

describe(TAGS, () => {
  it('returns the server’s own list byte for byte', async () => {
    const body = '{ "models":[ {"name":"llama3.2:latest","size":12345678901234567890,"novelty":1.50} ]}\n';
    provider.scriptFor('models', { kind: 'verbatim', body });
    const response = await fetch(api.url + TAGS, { headers: { authorization: `Bearer ${user.token}` } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect((await bytesOf(response)).equals(Buffer.from(body))).toBe(true);
  });

  it('reports failures in Ollama’s API format', async () => {
    expect((await send(api.url + TAGS)).status).toBe(401);
    provider.scriptFor('models', { kind: 'error', status: 500 });
    const failed = await user.request('GET', TAGS);
    expect(failed.status).toBe(502);
    sentenceOf(failed);
    provider.scriptFor('models', { kind: 'silence' });
    const silent = await user.request('GET', TAGS);
    expect(silent.status).toBe(504);
    sentenceOf(silent);
  });
});

describe('without an Ollama host', () => {
  it('every route responds with 503', async () => {
    const bare = await startApi({}, api.database);
    try {
      const headers = { authorization: `Bearer ${(await registerUser(bare.url)).token}` };
      const answers = [
        await send(bare.url + TAGS, { headers }),
        await send(bare.url + CHAT, { method: 'POST', headers, body: ask(CHAT) }),
        await send(bare.url + GENERATE, { method: 'POST', headers, body: ask(GENERATE, { stream: false }) }),
      ];
      for (const answer of answers) {
        expect(answer.status).toBe(503);
        expect(sentenceOf(answer)).toContain('ollama');
      }
    } finally {
      await bare.close();
    }
  });
});
