// Real components: the API on a socket, PostgreSQL, and the protocols of the providers; the bytes on the
// sockets are compared event by event. Translated and relayed answers, errors, models and token counts share
// the same two servers, one of them with a scripted host, and one event parser.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import type { TestApi } from '../../support/api.js';
import { at, registerUser, send, type ApiResponse, type TestUser } from '../../support/client.js';
import type { Behavior } from '../../support/fake-provider/script.js';
import { setUpApi, setUpProvider, setUpResource, setUpUser } from '../../support/set-up.js';
import { query, type Row, until } from '../../support/stored.js';

const MESSAGES = '/v1/messages';
const COUNT = '/v1/messages/count_tokens';
const VERSION = '2023-06-01';
const OTHERS = ['openai', 'ollama'] as const;

/** Usage reported by a provider, with values that counting would not yield. */
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };

/** An event of a stream. */
interface Event {
  readonly name: string;
  readonly data: string;
}

/** A host with Anthropic's protocol that sends exactly the bytes that a test sets. */
interface Host {
  readonly url: string;
  readonly server: Server;
  /** The request most recently received. */
  request: { url: string; headers: NodeJS.Dict<string | string[]>; body: unknown };
  answer: (response: ServerResponse) => void;
}

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  OLLAMA_BASE_URL: provider.origin,
  LLM_HOSTS: JSON.stringify(['cut', 'error'].map((id) => ({ id, base_url: provider.baseUrl }))),
  LLM_MAX_RETRIES: '0',
  MAX_UPLOAD_MB: '1',
  MODEL_ALIASES: JSON.stringify({ chain: ['anthropic/test-model', 'openai/test-model'] }),
}));
const user = setUpUser(api);
const host = setUpResource(async () => {
  const resource = await startHost();
  return { resource, close: () => resource.server.close() };
});
const verbatim = setUpApi(() => ({ ANTHROPIC_BASE_URL: host().url, LLM_MAX_RETRIES: '0' }));
const owner = setUpUser(verbatim);

async function startHost(): Promise<Host> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      started.request = {
        url: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(body || 'null'),
      };
      started.answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = at(server.address(), 'port');
  const nothing = { url: '', headers: {}, body: null };
  const url = `http://127.0.0.1:${String(port)}`;
  const started: Host = { server, url, request: nothing, answer: (it) => it.end() };
  return started;
}

/** Makes the host send these bytes as a stream. */
function streamFromHost(bytes: string): void {
  host().answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(bytes);
  };
}

/** Makes the host send this body. */
function bodyFromHost(body: string): void {
  host().answer = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  };
}

function ask(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    model: 'openai/test-model',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'one two three' }],
    ...more,
  };
}

async function post(
  path: string,
  body: unknown,
  { token = user.token, url = api.url, more = {} }: { token?: string; url?: string; more?: object } = {},
): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-api-key': token,
      'anthropic-version': VERSION,
      ...more,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** Sends a request to the API whose provider is the scripted host. */
async function postVerbatim(body: unknown, more = {}): Promise<Response> {
  return post(MESSAGES, body, { token: owner.token, url: verbatim.url, more });
}

/** Checks the framing of a whole stream and returns its events. */
async function eventsOf(response: Response): Promise<Event[]> {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const frames = (await response.text()).split('\n\n');
  expect(frames.pop()).toBe('');
  return frames.map((frame) => {
    const [, name = '', data = ''] = /^event: ([a-z_]+)\ndata: ([^\n\r]+)$/.exec(frame) ?? [];
    expect({ frame, name }).toEqual({ frame, name: expect.stringMatching(/./) });
    return { name, data };
  });
}

/** Parses the data of events and checks their types. */
function dataOf(events: readonly Event[]): unknown[] {
  return events.map(({ name, data }) => {
    const value: unknown = JSON.parse(data);
    expect(at(value, 'type')).toBe(name);
    return value;
  });
}

/** Checks the envelope of an error and returns its status and fields. */
async function errorOf(response: Response): Promise<unknown> {
  const body: unknown = await response.json();
  const id = response.headers.get('request-id');
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(body).toEqual({
    type: 'error',
    error: { type: expect.any(String), message: expect.stringMatching(/./) },
    request_id: id,
  });
  return { status: response.status, ...Object(at(body, 'error')) };
}

function sentBody(): unknown {
  return provider.requests.at(-1)?.body;
}

/** Returns the usage records of an account, in order, once there are at least that many. */
async function usageWhen({ database }: TestApi, { email }: TestUser, count: number): Promise<Row[]> {
  return until(`${count} usage records`, async () => {
    const rows = await query(
      database,
      `SELECT attempt, provider, model, outcome, input_tokens, output_tokens, cached_tokens, cache_write_tokens, estimated
       FROM usage_records JOIN users ON users.id = user_id WHERE email = $1 ORDER BY call_id, attempt`,
      [email],
    );
    return rows.length >= count && rows;
  });
}

describe.each(OTHERS)('a Messages stream over %s', (id) => {
  const model = `${id}/test-model`;

  it('has the events of Anthropic’s protocol', async () => {
    provider.script({ kind: 'answer', reasoning: ['Hm'], text: ['four', ' five'], usage: USAGE });
    const response = await post(MESSAGES, ask({ model, stream: true }));
    expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'));
    const none = { cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens_details: null };
    const delta = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta });
    expect(dataOf(await eventsOf(response))).toEqual([
      {
        type: 'message_start',
        message: {
          id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
          type: 'message',
          role: 'assistant',
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          stop_details: null,
          container: null,
          usage: { input_tokens: 5, output_tokens: 0, ...none },
        },
      },
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'thinking', thinking: '', signature: '' },
      },
      delta(0, { type: 'thinking_delta', thinking: 'Hm' }),
      delta(0, { type: 'signature_delta', signature: expect.stringMatching(/^parley\./) }),
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      delta(1, { type: 'text_delta', text: 'four' }),
      delta(1, { type: 'text_delta', text: ' five' }),
      { type: 'content_block_stop', index: 1 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null, stop_details: null },
        usage: { input_tokens: 41, output_tokens: 17, ...none },
      },
      { type: 'message_stop' },
    ]);
  });

  it('has tool calls as consecutive content blocks', async () => {
    provider.script({
      kind: 'answer',
      toolCalls: [
        { name: 'clock', arguments: ['{"zone"', ':"UTC"}'] },
        { name: 'dice', arguments: '{"sides":6}' },
      ],
    });
    const tools = ['clock', 'dice'].map((name) => ({ name, input_schema: { type: 'object' } }));
    const events = dataOf(await eventsOf(await post(MESSAGES, ask({ model, stream: true, tools }))));
    const starts = events.filter((event) => at(event, 'type') === 'content_block_start');
    expect(starts).toMatchObject([
      { index: 0, content_block: { type: 'tool_use', name: 'clock', input: {} } },
      { index: 1, content_block: { type: 'tool_use', name: 'dice', input: {} } },
    ]);
    for (const [index, expected] of [{ zone: 'UTC' }, { sides: 6 }].entries()) {
      const deltas = events.filter((event) => at(event, 'index') === index && at(event, 'delta'));
      const json = deltas.map((event) => String(at(event, 'delta', 'partial_json'))).join('');
      expect(JSON.parse(json)).toEqual(expected);
    }
    expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use' } });
  });

  it('reports a failure before the first event by an HTTP status', async () => {
    provider.script({ kind: 'error', status: 400, message: 'That is wrong.' });
    expect(await errorOf(await post(MESSAGES, ask({ model, stream: true })))).toEqual({
      status: 400,
      type: 'invalid_request_error',
      message: 'That is wrong.',
    });
  });
});

describe('a failure in mid-stream', () => {
  const failures: readonly (readonly [string, Behavior, string])[] = [
    ['cut', { kind: 'cut', text: ['four', ' five'], afterChunks: 1 }, 'api_error'],
    [
      'error',
      {
        kind: 'errorInStream',
        text: ['four', ' five'],
        afterChunks: 1,
        error: { code: 'context_length_exceeded', message: 'Too long.' },
      },
      'invalid_request_error',
    ],
    ['anthropic', { kind: 'cut', text: ['four', ' five'], afterChunks: 1 }, 'api_error'],
  ];
  it.each(failures)(
    'is reported as an error event, which is the last one: %s',
    async (id, behavior, type) => {
      provider.script(behavior);
      const response = await post(MESSAGES, ask({ model: `${id}/test-model`, stream: true }));
      const events = await eventsOf(response);
      expect(dataOf(events).at(-1)).toEqual({
        type: 'error',
        error: { type, message: expect.stringMatching(/./) },
        request_id: response.headers.get('request-id'),
      });
      expect(JSON.stringify(events)).toContain('four');
      for (const name of ['message_delta', 'message_stop'])
        expect(events.map((event) => event.name)).not.toContain(name);
    },
  );
});

describe('an answer of a provider with Anthropic’s protocol', () => {
  const START =
    '{"type":"message_start","message":{"id":"msg_1","type":"message","model":"m-1","content":[],"novelty":1.0,"usage":{"input_tokens":5,"cache_read_input_tokens":30,"cache_creation_input_tokens":6,"output_tokens":1}}}';
  const EVENTS = [
    [
      'content_block_start',
      '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    ],
    ['ping', '{"type": "ping"}'],
    ['novelty', '{"type":"novelty", "what": [1.0, null]}'],
    [
      'content_block_delta',
      '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"four","novelty":"é"}}',
    ],
    ['content_block_delta', '{"type":"content_block_delta","index":0,"delta":{"type":"novel_delta"}}'],
    ['content_block_stop', '{"type":"content_block_stop","index":0}'],
    [
      'message_delta',
      '{"type":"message_delta","delta":{"stop_reason":"pause_turn"},"usage":{"output_tokens":9,"novelty":2}}',
    ],
  ] as const;
  const STOP = ['message_stop', '{"type":"message_stop","novelty":true}'] as const;
  const bytes = (events: readonly (readonly [string, string])[]): string =>
    events.map(([name, data]) => `event: ${name}\ndata: ${data}\n\n`).join('');
  const renamed = START.replace('"m-1"', '"anthropic/m-1"');

  it('is relayed unchanged except for the model name', async () => {
    streamFromHost(bytes([['message_start', START], ...EVENTS, STOP]));
    const response = await postVerbatim(ask({ model: 'anthropic/m-1', stream: true }));
    expect(await response.text()).toBe(bytes([['message_start', renamed], ...EVENTS, STOP]));
    expect(response.headers.has('x-ignored-params')).toBe(false);
    const [row] = await usageWhen(verbatim, owner, 1);
    expect(row).toMatchObject({
      provider: 'anthropic',
      model: 'm-1',
      outcome: 'completed',
      input_tokens: 41,
      cached_tokens: 30,
      cache_write_tokens: 6,
      output_tokens: 9,
      estimated: false,
    });
  });

  it('gets event names if the host sends only data, and a message_stop if the host sends none', async () => {
    const all: (readonly [string, string])[] = [['message_start', START], ...EVENTS];
    streamFromHost(all.map(([, data]) => `data: ${data}\n\n`).join(''));
    const response = await postVerbatim(ask({ model: 'anthropic/m-1', stream: true }));
    expect((await eventsOf(response)).map(({ name }) => name)).toEqual([
      ...all.map(([name]) => name),
      'message_stop',
    ]);
  });

  it('loses an event that is not JSON, and no other', async () => {
    streamFromHost(bytes([['message_start', START], ['content_block_delta', '{"ty'], ...EVENTS, STOP]));
    const response = await postVerbatim(ask({ model: 'anthropic/m-1', stream: true }));
    expect(await response.text()).toBe(bytes([['message_start', renamed], ...EVENTS, STOP]));
  });

  it('is relayed unchanged as JSON too, and only the top-level model name is replaced', async () => {
    const message =
      '{"type":"message","id":"msg_1","model":"m-1","content":[{"type":"text","text":"four"},{"type":"novelty","n":1.0}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":9},"novelty":[1.0]}';
    bodyFromHost(message);
    const plain = await postVerbatim(ask({ model: 'anthropic/m-1' }));
    expect(plain.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await plain.text()).toBe(message.replace('"m-1"', '"anthropic/m-1"'));
    const input = '{"type":"tool_use","id":"t","name":"ask","input":{"model":"m-1"}}';
    bodyFromHost(message.replace('{"type":"novelty","n":1.0}', input));
    const body: unknown = await (await postVerbatim(ask({ model: 'anthropic/m-1' }))).json();
    expect(body).toMatchObject({
      model: 'anthropic/m-1',
      novelty: [1],
      content: [{}, { input: { model: 'm-1' } }],
    });
  });

  it.each([
    '{"type":"message","content":[{"type":"text","text":"four"}],"usage":{}}',
    '{"type":"message","stop_reason":"end_turn"}',
    'no JSON',
  ])('is a 502 if it is invalid: %s', async (body) => {
    bodyFromHost(body);
    const answer = await postVerbatim(ask({ model: 'anthropic/m-1' }));
    expect(await errorOf(answer)).toMatchObject({ status: 502, type: 'api_error' });
  });

  it('is requested with the client’s body and protocol headers, without the client’s own credentials', async () => {
    bodyFromHost('{"type":"message","model":"m-1","content":[],"stop_reason":"end_turn"}');
    const body = ask({
      model: 'anthropic/m-1',
      temperature: 0.5,
      top_k: 7,
      novelty: { a: [1, null] },
      system: [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }],
      tools: [{ type: 'web_search_20260318', name: 'web_search' }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'document', source: { type: 'file', file_id: 'f' }, citations: { enabled: true } },
          ],
        },
      ],
    });
    const response = await postVerbatim(body, { 'anthropic-beta': 'one,two' });
    expect(response.status).toBe(200);
    expect(host().request.body).toEqual({ ...body, model: 'm-1', stream: false });
    expect(host().request.headers).toMatchObject({
      'anthropic-version': VERSION,
      'anthropic-beta': 'one,two',
    });
    expect(JSON.stringify(host().request.headers)).not.toContain(owner.token);
  });
});

describe('a request feature without an equivalent in the canonical format', () => {
  const content = (block: object) => ({ messages: [{ role: 'user', content: [block] }] });
  const foreign: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [content({ type: 'document', source: { type: 'text', data: 'x' } }), 'messages.0.content.0.document'],
    [content({ type: 'search_result', source: 'x' }), 'messages.0.content.0.search_result'],
    [content({ type: 'image', source: { type: 'file', file_id: 'f' } }), 'messages.0.content.0.image.source'],
    [
      content({ type: 'tool_result', tool_use_id: 't', content: [{ type: 'document' }] }),
      'messages.0.content.0.tool_result.content.0.document',
    ],
    [{ tools: [{ type: 'web_search_20260318', name: 'web_search' }] }, 'tools.0.web_search_20260318'],
    [{ mcp_servers: [{ type: 'url', url: 'https://example.com', name: 'x' }] }, 'mcp_servers'],
    [{ container: 'c_1' }, 'container'],
  ];
  it.each(foreign)(
    'is refused, naming the field, if the provider has another API format: %j',
    async (more, name) => {
      for (const id of [...OTHERS, 'demo']) {
        for (const stream of [false, true]) {
          const answer = await post(MESSAGES, ask({ ...more, stream, model: `${id}/test-model` }));
          expect(await errorOf(answer)).toEqual({
            status: 400,
            type: 'invalid_request_error',
            message: expect.stringContaining(`'${name}'`),
          });
        }
      }
      expect(provider.requests).toEqual([]);
      const relayed = await post(MESSAGES, ask({ ...more, model: 'anthropic/test-model' }));
      expect([relayed.status, sentBody()]).toEqual([200, expect.objectContaining(more)]);
    },
  );

  it('is dropped and listed in X-Ignored-Params if an answer is possible without it', async () => {
    for (const stream of [false, true]) {
      const body = ask({ stream, top_k: 7, service_tier: 'auto', metadata: { user_id: 'u' }, novelty: null });
      const response = await post(MESSAGES, { ...body, model: 'ollama/test-model' });
      expect(response.headers.get('x-ignored-params')).toBe('user, top_k, service_tier');
      await response.text();
    }
  });
});

describe('an alias of several models', () => {
  it('falls back to a model with another API format, and names the model that answered', async () => {
    provider.script({ kind: 'error', status: 503 }, { kind: 'answer', text: 'four' });
    const thinking = [
      { type: 'thinking', thinking: 'Hm', signature: 'c2ln' },
      { type: 'text', text: 'Hi' },
    ];
    const messages = [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: thinking },
      { role: 'user', content: 'two' },
    ];
    const response = await post(MESSAGES, ask({ model: 'chain', messages, top_k: 7 }));
    expect(await response.json()).toMatchObject({ model: 'openai/test-model', content: [{ text: 'four' }] });
    expect(response.headers.get('x-ignored-params')).toBe('top_k');
    expect(provider.requests.map(({ path }) => path)).toEqual(['/v1/messages', '/v1/chat/completions']);
    expect(at(provider.requests[0]?.body, 'messages', 1, 'content')).toEqual(thinking);
    expect(at(sentBody(), 'messages', 1)).toEqual({ role: 'assistant', content: 'Hi' });
  });

  it('tries only the models that support the request', async () => {
    provider.script({ kind: 'error', status: 503 });
    const answer = await post(MESSAGES, ask({ model: 'chain', container: 'c_1' }));
    expect(await errorOf(answer)).toMatchObject({ status: 503, type: 'overloaded_error' });
    expect(provider.requests).toHaveLength(1);
  });
});

describe('errors before the provider call', () => {
  const invalid: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ max_tokens: undefined }, 'max_tokens is missing.'],
    [{ max_tokens: 0 }, 'max_tokens must be >= 1.'],
    [{ messages: [] }, 'messages must NOT have fewer than 1 items.'],
    [
      { messages: [{ role: 'tool', content: 'x' }] },
      'messages.0.role must be one of user, assistant, system.',
    ],
    [{ messages: [{ role: 'user', content: 7 }] }, 'messages.0.content must be string or array.'],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages.0.content.0.text is missing.'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url' } }] }] },
      'messages.0.content.0.source.url is missing.',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'tool_result' }] }] },
      'messages.0.content.0.tool_use_id is missing.',
    ],
    [{ temperature: 1.1 }, 'temperature must be <= 1.'],
    [{ tools: [{ name: 'clock' }] }, 'tools.0.input_schema is missing.'],
    [{ tool_choice: { type: 'tool' } }, 'tool_choice.name is missing.'],
    [{ thinking: { type: 'enabled' } }, 'thinking.budget_tokens is missing.'],
    [{ model: 'a\u0000' }, 'The request contains a NUL character (\\u0000).'],
  ];
  it.each(invalid)('name the field: %j', async (more, message) => {
    expect(await errorOf(await post(MESSAGES, ask(more)))).toEqual({
      status: 400,
      type: 'invalid_request_error',
      message,
    });
    expect(provider.requests).toEqual([]);
  });

  const refused: readonly (readonly [string, () => Promise<Response>, object])[] = [
    [
      'a missing API key',
      () => post(MESSAGES, ask(), { token: '' }),
      { status: 401, type: 'authentication_error' },
    ],
    ['malformed JSON', () => post(MESSAGES, '{"a'), { status: 400, type: 'invalid_request_error' }],
    [
      'an unsupported content type',
      () => post(MESSAGES, 'hello', { more: { 'content-type': 'text/plain' } }),
      { status: 415, type: 'invalid_request_error' },
    ],
    [
      'a body that is too large',
      () => post(MESSAGES, JSON.stringify('x'.repeat(2 ** 20))),
      { status: 413, type: 'request_too_large' },
    ],
    [
      'an unknown model',
      () => post(MESSAGES, ask({ model: 'none' })),
      { status: 404, type: 'not_found_error' },
    ],
    ['an unknown route', () => post(`${MESSAGES}/batches`, {}), { status: 404, type: 'not_found_error' }],
    [
      'an unknown model for token counting',
      () => post(COUNT, ask({ model: 'none' })),
      { status: 404, type: 'not_found_error' },
    ],
  ];
  it.each(refused)('have Anthropic’s error format: %s', async (_what, ask, expected) => {
    expect(await errorOf(await ask())).toMatchObject(expected);
  });
});

describe('GET /v1/models', () => {
  const list = async (path: string, headers = {}): Promise<ApiResponse> =>
    send(api.url + path, { headers: { 'x-api-key': user.token, ...headers } });
  const version = { 'anthropic-version': VERSION };

  it('responds in the API format of the client', async () => {
    expect((await list('/v1/models')).body).toMatchObject({ object: 'list' });
    const { body, headers } = await list('/v1/models?limit=1&after_id=openai/test-model', version);
    expect(headers.get('request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(body).toEqual({
      data: [expect.objectContaining({ type: 'model', id: 'anthropic/test-model' })],
      first_id: 'anthropic/test-model',
      last_id: 'anthropic/test-model',
      has_more: true,
    });
    const before = await list('/v1/models?before_id=anthropic/test-model', version);
    expect(before.body).toMatchObject({
      data: [{ id: 'chain' }, { id: 'openai/test-model' }],
      has_more: false,
    });
    expect((await list('/v1/models/chain', version)).body).toMatchObject({ id: 'chain' });
    expect((await list('/v1/models?after_id=none', version)).status).toBe(400);
    expect((await list('/v1/models/openai/test-model')).body).toMatchObject({ object: 'model' });
    expect((await list('/v1/models/openai/test-model', version)).body).toMatchObject({ type: 'model' });
  });

  it('reports errors in the API format of the client', async () => {
    expect((await list('/v1/models/none')).body).toMatchObject({ error: { code: 'model_not_found' } });
    expect((await list('/v1/models/none', version)).body).toMatchObject({
      type: 'error',
      error: { type: 'not_found_error' },
    });
    expect((await list('/v1/models?limit=0', version)).body).toMatchObject({ type: 'error' });
    expect((await send(`${api.url}/v1/models`, { headers: version })).body).toMatchObject({
      type: 'error',
      error: { type: 'authentication_error' },
    });
  });
});

describe('POST /v1/messages/count_tokens', () => {
  it('forwards the whole request to a provider with Anthropic’s protocol', async () => {
    bodyFromHost('{"input_tokens":1234}');
    const body = { model: 'anthropic/m-1', messages: [{ role: 'user', content: 'one' }], container: 'c_1' };
    const answer = await post(COUNT, body, { token: owner.token, url: verbatim.url });
    expect([answer.status, await answer.json()]).toEqual([200, { input_tokens: 1234 }]);
    expect(host().request).toMatchObject({ url: COUNT, body: { ...body, model: 'm-1' } });
    expect(host().request.body).not.toHaveProperty('stream');
  });

  it('estimates the count if the provider fails, and returns the provider’s refusal of an invalid request', async () => {
    const body = { model: 'anthropic/m-1', messages: [{ role: 'user', content: 'one two three' }] };
    const count = async (): Promise<Response> => post(COUNT, body, { token: owner.token, url: verbatim.url });
    host().answer = (response) => void response.writeHead(500).end();
    expect(await (await count()).json()).toEqual({ input_tokens: expect.any(Number) });
    const refusal = '{"type":"error","error":{"type":"invalid_request_error","message":"No."}}';
    host().answer = (response) => void response.writeHead(400).end(refusal);
    expect(await errorOf(await count())).toMatchObject({ status: 400, message: 'No.' });
  });

  it('refuses a request that the model does not support, and records no usage', async () => {
    const counter = await registerUser(api.url);
    const body = { model: 'openai/test-model', messages: [{ role: 'user', content: 'one' }] };
    const options = { token: counter.token };
    expect((await post(COUNT, body, options)).status).toBe(200);
    expect((await post(COUNT, { ...body, container: 'c_1' }, options)).status).toBe(400);
    await (await post(MESSAGES, ask(), options)).text();
    expect(await usageWhen(api, counter, 1)).toMatchObject([{ provider: 'openai', outcome: 'completed' }]);
  });
});
