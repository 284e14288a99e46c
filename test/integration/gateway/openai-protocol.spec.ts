// Real components: the API on a socket, PostgreSQL, and the protocols of the providers; the data on the
// sockets is compared byte by byte. The endpoints of OpenAI's protocol share one server and the helpers for
// frames, error bodies and usage records.
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { at, listAt, registerUser, send, type ApiResponse, type TestUser } from '../../support/client.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import type { Behavior } from '../../support/fake-provider/script.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query, type Row, until } from '../../support/stored.js';

const CHAT = '/v1/chat/completions';
const COMPLETIONS = '/v1/completions';
const EMBEDDINGS = '/v1/embeddings';

/** Usage reported by a provider, with values that counting would not yield. */
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };
const TOTAL = { ...USAGE, total_tokens: 58 };

/** Interval of pings in a silent stream, and the shorter one in its test, in milliseconds. */
const PING_MS = 15_000;
const HASTY_PING_MS = 50;

const PROTOCOLS = ['openai', 'anthropic', 'ollama'] as const;

const TOOLS = [{ type: 'function', function: { name: 'clock' } }];

/** Hosts that fail in tests. Each has its own circuit breaker, so that none opens another's. */
const FAILING = ['cut', 'error', 'reset', 'refusing'] as const;

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  OLLAMA_BASE_URL: provider.origin,
  LLM_HOSTS: JSON.stringify(FAILING.map((id) => ({ id, base_url: provider.baseUrl }))),
  MODEL_ALIASES: '{"fast/one":["openai/test-model"],"__proto__":["demo/echo"]}',
  LLM_MAX_RETRIES: '0',
  MAX_UPLOAD_MB: '2',
}));
const user = setUpUser(api);

/** A chat request with one user message. */
function chat(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { model: 'openai/test-model', messages: [{ role: 'user', content: 'one two three' }], ...more };
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

/**
 * Checks the framing of a whole stream (one `data:` line per frame and nothing else) and returns the
 * payloads.
 */
async function framesOf(response: Response): Promise<string[]> {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const frames = (await response.text()).split('\n\n');
  expect(frames.pop()).toBe('');
  for (const frame of frames) expect(frame).toMatch(/^data: [^\n\r]+$/);
  return frames.map((frame) => frame.slice('data: '.length));
}

/** Returns the chunks of a whole stream that ended with [DONE]. */
async function chunksOf(path: string, body: unknown): Promise<unknown[]> {
  const frames = await framesOf(await post(path, body));
  expect(frames.pop()).toBe('[DONE]');
  return frames.map((frame): unknown => JSON.parse(frame));
}

/** Returns the body most recently sent to the provider. */
function sentBody(): unknown {
  return provider.requests.at(-1)?.body;
}

/** Checks the envelope of an error and returns its status and fields. */
function expectEnvelope({ body, status, headers }: ApiResponse): unknown {
  const error = at(body, 'error');
  expect(error).toMatchObject({ message: expect.stringMatching(/./), type: expect.stringMatching(/./) });
  for (const field of ['param', 'code']) expect(error).toHaveProperty(field);
  expect(headers.get('x-request-id')).toBe(at(body, 'request_id'));
  return { status, ...Object(error) };
}

/** Returns the usage records of an account in the order of the calls. */
async function usageOf({ email }: TestUser): Promise<Row[]> {
  return query(
    api.database,
    `SELECT call_id, attempt, provider, model, outcome, input_tokens, output_tokens, estimated
     FROM usage_records JOIN users ON users.id = user_id WHERE email = $1 ORDER BY call_id, attempt`,
    [email],
  );
}

/** Returns the usage records once there are at least that many. */
async function usageWhen(owner: TestUser, count: number): Promise<Row[]> {
  return until(`${count} usage records`, async () => {
    const rows = await usageOf(owner);
    return rows.length >= count && rows;
  });
}

describe.each(PROTOCOLS)('a chat stream over %s', (id) => {
  const model = `${id}/test-model`;

  it.each([undefined, false, true])(
    'has the frames of OpenAI’s protocol (include_usage: %s)',
    async (include_usage) => {
      provider.script({ kind: 'answer', text: ['four', ' five'], usage: USAGE });
      const options = include_usage === undefined ? {} : { stream_options: { include_usage } };
      const chunks = await chunksOf(CHAT, chat({ model, stream: true, ...options }));
      const last = include_usage === true ? chunks.pop() : undefined;
      if (include_usage === true) expect(last).toMatchObject({ choices: [], usage: TOTAL });
      expect(chunks).toMatchObject([
        { choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: null }] },
        { choices: [{ index: 0, delta: { content: 'four' }, finish_reason: null }] },
        { choices: [{ index: 0, delta: { content: ' five' }, finish_reason: null }] },
        { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      ]);
      for (const chunk of chunks) expect(at(chunk, 'usage') ?? null).toBeNull();
      for (const chunk of [...chunks, ...(last === undefined ? [] : [last])]) {
        expect(chunk).toMatchObject({
          id: at(chunks[0], 'id'),
          created: at(chunks[0], 'created'),
          object: 'chat.completion.chunk',
          model,
        });
      }
      expect(at(chunks[0], 'id')).toMatch(/^\S+$/);
    },
  );

  it('has headers that prevent proxies from buffering it', async () => {
    const { headers, body } = await post(CHAT, chat({ model, stream: true }));
    expect(headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(headers.get('x-accel-buffering')).toBe('no');
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.has('x-ignored-params')).toBe(false);
    await body?.cancel();
  });

  it('has tool calls in OpenAI’s API format', async () => {
    provider.script({
      kind: 'answer',
      toolCalls: [
        { name: 'clock', arguments: ['{"zone"', ':"UTC"}'] },
        { name: 'dice', arguments: '{"sides":6}' },
      ],
    });
    const tools = ['clock', 'dice'].map((name) => ({ type: 'function', function: { name } }));
    const chunks = await chunksOf(CHAT, chat({ model, stream: true, tools }));
    const deltas = chunks.flatMap((chunk) => at(chunk, 'choices', 0, 'delta', 'tool_calls') ?? []);
    for (const [index, name] of ['clock', 'dice'].entries()) {
      const [first, ...rest] = deltas.filter((delta) => at(delta, 'index') === index);
      expect(first).toEqual({
        index,
        id: expect.stringMatching(/^\S{1,40}$/),
        type: 'function',
        function: { name, arguments: '' },
      });
      for (const delta of rest) expect(delta).toEqual({ index, function: { arguments: expect.any(String) } });
      const text = rest.map((delta) => String(at(delta, 'function', 'arguments'))).join('');
      expect(JSON.parse(text)).toEqual(name === 'clock' ? { zone: 'UTC' } : { sides: 6 });
    }
    const reasons = chunks.flatMap((chunk) => at(chunk, 'choices', 0, 'finish_reason') ?? []);
    expect(reasons).toEqual(['tool_calls']);
  });

  it('accepts comments, CRLF and arbitrary splits in the upstream framing', async () => {
    provider.script({ kind: 'commentsAndCrLf', text: ['Grüße', ' 👋🏽', ' 漢字'], splitBytes: 3 });
    const chunks = await chunksOf(CHAT, chat({ model, stream: true }));
    const texts = chunks.flatMap((chunk) => at(chunk, 'choices', 0, 'delta', 'content') ?? []);
    expect(texts.map(String).join('')).toBe('Grüße 👋🏽 漢字');
  });

  it('reports a failure before the first chunk by an HTTP status', async () => {
    provider.script({ kind: 'error', status: 400, message: 'That is wrong.' });
    const answer = await user.request('POST', CHAT, chat({ model, stream: true }));
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(expectEnvelope(answer)).toEqual({
      status: 400,
      code: 'provider_rejected',
      type: 'invalid_request_error',
      message: 'That is wrong.',
      param: null,
    });
  });
});

describe('a failure in mid-stream', () => {
  const failures: readonly (readonly [(typeof FAILING)[number], Behavior, object])[] = [
    [
      'cut',
      { kind: 'cut', text: ['four', ' five'], afterChunks: 1 },
      { code: 'provider_error', type: 'api_error' },
    ],
    [
      'reset',
      { kind: 'reset', text: ['four', ' five'], afterChunks: 1 },
      { code: 'provider_error', type: 'api_error' },
    ],
    [
      'error',
      {
        kind: 'errorInStream',
        text: ['four', ' five'],
        afterChunks: 1,
        error: { code: 'context_length_exceeded', message: 'Too long.' },
      },
      { code: 'context_length_exceeded', type: 'invalid_request_error', message: 'Too long.' },
    ],
  ];
  it.each(failures)(
    'is reported as an error event, which is the last one: %s',
    async (id, behavior, expected) => {
      for (const path of [CHAT, COMPLETIONS]) {
        provider.script(behavior);
        const body = path === CHAT ? chat({ stream: true }) : { prompt: 'one two three', stream: true };
        const frames = await framesOf(await post(path, { ...body, model: `${id}/test-model` }));
        const error: unknown = JSON.parse(frames.at(-1) ?? '');
        expect(error).toEqual({ error: { message: expect.any(String), param: null, ...expected } });
        expect(frames).not.toContain('[DONE]');
        expect(frames.filter((frame) => frame.includes('"finish_reason":"'))).toEqual([]);
        expect(frames.join('')).toContain('four');
      }
    },
  );
});

describe('a long silence in a stream', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is bridged by pings between the frames, even if a parameter was ignored', async () => {
    const { setInterval } = globalThis;
    jest
      .spyOn(globalThis, 'setInterval')
      .mockImplementation((callback, ms) => setInterval(callback, ms === PING_MS ? HASTY_PING_MS : ms));
    const gate = gatedAnswer(['four', ' five'], { holdHeaders: true });
    provider.script(gate);
    const response = await post(CHAT, chat({ model: 'anthropic/test-model', temperature: 2, stream: true }));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const first = await reader?.read();
    expect(first?.value).toBe(': ping\n\n');
    gate.finish();
    let rest = '';
    for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read())
      rest += piece.value;
    const frames = rest.split('\n\n').filter((frame) => frame !== '');
    for (const frame of frames) expect(frame).toMatch(/^(: ping|data: [^\n]+)$/);
    expect(frames.at(-1)).toBe('data: [DONE]');
    expect(rest).toContain('"content":" five"');
  });
});

describe('parameters', () => {
  const ignored: readonly (readonly [string, object, string | null])[] = [
    ['openai', { seed: 1, temperature: 2, presence_penalty: 1, user: 'u', logit_bias: { 1: 2 } }, null],
    ['anthropic', { seed: 1 }, 'seed'],
    ['anthropic', { temperature: 1.5 }, 'temperature'],
    ['anthropic', { temperature: 1, user: 'u', top_p: 0.5, stop: ['x'] }, null],
    [
      'anthropic',
      { presence_penalty: 1, frequency_penalty: 1, logit_bias: { 1: 2 } },
      'logit_bias, presence_penalty, frequency_penalty',
    ],
    ['anthropic', { n: 1, logprobs: false, seed: null }, null],
    ['anthropic', { top_k: 5, thinking: { type: 'enabled' }, min_p: null }, 'top_k, thinking'],
    ['anthropic', { tool_choice: 'required' }, 'tool_choice'],
    ['ollama', { tools: TOOLS, parallel_tool_calls: false }, 'parallel_tool_calls'],
    ['ollama', { messages: [{ role: 'user', content: 'Hi', name: 'ann' }] }, 'messages.name'],
    ['ollama', { seed: 1, presence_penalty: 1, temperature: 2 }, null],
    ['ollama', { user: 'u', metadata: { a: 'b' } }, 'user, metadata'],
    ['ollama', { tools: TOOLS, tool_choice: 'auto' }, null],
    ['ollama', { tools: TOOLS, tool_choice: 'none' }, null],
  ];
  it.each(ignored)(
    '(%s) %j are ignored and listed in X-Ignored-Params: %s',
    async (id, parameters, expected) => {
      for (const stream of [false, true]) {
        const response = await post(CHAT, chat({ model: `${id}/test-model`, stream, ...parameters }));
        expect(response.status).toBe(200);
        expect(response.headers.get('x-ignored-params')).toBe(expected);
        await response.text();
      }
    },
  );

  const untaken: readonly (readonly [string, object, string | null])[] = [
    ['claude-opus-5-5', { temperature: 1.5, top_p: 0.9, seed: 1 }, 'temperature, seed, top_p'],
    ['claude-sonnet-4-5', { temperature: 0.5, top_p: 0.9 }, 'top_p'],
    ['claude-sonnet-4-5', { temperature: 0.5, reasoning_effort: 'low' }, 'temperature'],
    ['claude-sonnet-4-5', { temperature: 0.5, reasoning_effort: 'none' }, null],
  ];
  it.each(untaken)(
    '(%s) %j are unsupported by the model and listed in X-Ignored-Params: %s',
    async (name, more, expected) => {
      for (const stream of [false, true]) {
        const response = await post(CHAT, chat({ model: `anthropic/${name}`, stream, ...more }));
        expect([response.status, response.headers.get('x-ignored-params')]).toEqual([200, expected]);
        await response.text();
      }
    },
  );

  it('that are ignored on /v1/completions are listed in X-Ignored-Params too', async () => {
    for (const stream of [false, true]) {
      const body = { model: 'anthropic/test-model', prompt: 'one', stream, temperature: 2, seed: 1 };
      const response = await post(COMPLETIONS, body);
      expect(response.headers.get('x-ignored-params')).toBe('temperature, seed');
      await response.text();
    }
  });

  it('of the demo model are applied or listed in X-Ignored-Params', async () => {
    const body = chat({ model: 'demo/echo', max_tokens: 3, top_p: 0.5 });
    const whole = await user.request('POST', CHAT, body);
    expect(whole.headers.get('x-ignored-params')).toBe('top_p');
    expect(whole.body).toMatchObject({
      choices: [{ finish_reason: 'length', message: { content: 'This is the' } }],
      usage: { completion_tokens: 3 },
    });
  });

  it('include a temperature that is clamped to Anthropic’s maximum', async () => {
    await user.request('POST', CHAT, chat({ model: 'anthropic/test-model', temperature: 1.7 }));
    expect(sentBody()).toMatchObject({ temperature: 1 });
  });

  const refused: readonly (readonly [string, object, string])[] = [
    ...(['anthropic/test-model', 'ollama/test-model', 'demo/echo'] as const).flatMap((model) => [
      [model, { n: 2 }, 'n'] as const,
      [model, { logprobs: true }, 'logprobs'] as const,
      [model, { logprobs: true, top_logprobs: 3 }, 'logprobs'] as const,
      [model, { modalities: ['text', 'audio'] }, 'modalities'] as const,
    ]),
    ['demo/echo', { tools: [{ type: 'function', function: { name: 'clock' } }] }, 'tools'],
    ['demo/echo', { response_format: { type: 'json_object' } }, 'response_format'],
    ['ollama/test-model', { tools: TOOLS, tool_choice: 'required' }, 'tool_choice'],
    [
      'ollama/test-model',
      { tools: TOOLS, tool_choice: { type: 'function', function: { name: 'clock' } } },
      'tool_choice',
    ],
  ];
  it.each(refused)('of %s are refused: %j, naming %s', async (model, parameters, param) => {
    for (const stream of [false, true]) {
      const answer = await user.request('POST', CHAT, chat({ model, stream, ...parameters }));
      expect(expectEnvelope(answer)).toMatchObject({ status: 400, code: 'invalid_request', param });
    }
    expect(provider.requests).toEqual([]);
  });

  it('that are unknown are forwarded unchanged to a host with OpenAI’s API format', async () => {
    const parameters = { type: 'object', properties: { constructor: {}, prototype: {} } };
    const body = chat({
      messages: [
        { role: 'developer', content: 'Be brief.', name: 'boss', extra: { deep: [1, null] } },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Hi' },
            { type: 'novelty', novelty: { a: 1 } },
          ],
        },
      ],
      novelty: { a: [1, { b: 'c' }], d: null },
      top_k: 7,
      user: 'u-1',
      metadata: { a: 'b' },
      logit_bias: { 50256: -100 },
      // Names that bodies of our own API must not have.
      tools: [{ type: 'function', function: { name: 'clock', strict: true, parameters }, novelty: true }],
    });
    await user.request('POST', CHAT, body);
    expect(sentBody()).toEqual({ ...body, model: 'test-model', stream: false });
    const options = { include_usage: false, include_obfuscation: false };
    await (await post(CHAT, { ...body, stream: true, stream_options: options })).text();
    expect(sentBody()).toMatchObject({ ...body, model: 'test-model', stream: true });
    expect(sentBody()).toMatchObject({ stream_options: { include_usage: true } });
  });

  it.each([{ max_tokens: 5 }, { max_completion_tokens: 5 }, { max_tokens: 9, max_completion_tokens: 5 }])(
    'include the limit %j, which a host with OpenAI’s format gets under the client’s name for it',
    async (limit) => {
      await user.request('POST', CHAT, chat({ model: 'openai/test-model', ...limit }));
      const { max_tokens, max_completion_tokens }: Record<string, unknown> = Object.assign({}, sentBody());
      expect({ max_tokens, max_completion_tokens }).toEqual({
        max_tokens: undefined,
        max_completion_tokens: undefined,
        ...limit,
      });
    },
  );

  it.each([
    ['anthropic', ['max_tokens']],
    ['ollama', ['options', 'num_predict']],
  ])('for %s include the output limit under the provider’s own name', async (id, keys) => {
    const limits = [
      { max_tokens: 5 },
      { max_completion_tokens: 5 },
      { max_tokens: 9, max_completion_tokens: 5 },
    ];
    for (const limit of limits) {
      await user.request('POST', CHAT, chat({ model: `${id}/test-model`, ...limit }));
      expect(at(sentBody(), ...keys)).toBe(5);
      expect(sentBody()).not.toHaveProperty('max_completion_tokens');
    }
  });

  it.each([
    ['openai', { messages: [{ role: 'developer', content: 'Be brief.' }, { role: 'user' }] }],
    ['anthropic', { system: [{ type: 'text', text: 'Be brief.' }], messages: [{ role: 'user' }] }],
    ['ollama', { messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user' }] }],
  ])('for %s include the developer message in the provider’s format', async (id, expected) => {
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ];
    await user.request('POST', CHAT, chat({ model: `${id}/test-model`, messages }));
    expect(sentBody()).toMatchObject(expected);
  });
});

describe('invalid requests', () => {
  const one = { role: 'user', content: 'Hi' };
  const wrong: readonly (readonly [path: string, body: unknown, param: string | null])[] = [
    [CHAT, {}, 'messages'],
    [CHAT, { model: 'openai/test-model' }, 'messages'],
    [CHAT, chat({ messages: [] }), 'messages'],
    [CHAT, chat({ messages: 'Hi' }), 'messages'],
    [CHAT, chat({ messages: [null] }), 'messages.0'],
    [CHAT, chat({ messages: [{ content: 'Hi' }] }), 'messages.0.role'],
    [CHAT, chat({ messages: [one, { role: 'boss', content: 'Hi' }] }), 'messages.1.role'],
    [CHAT, chat({ messages: [{ role: 'user', content: 7 }] }), 'messages.0.content'],
    [CHAT, chat({ messages: [{ role: 'user', content: [{}] }] }), 'messages.0.content.0.type'],
    [CHAT, chat({ model: 7 }), 'model'],
    [CHAT, chat({ model: '' }), 'model'],
    [CHAT, chat({ model: 'openai/a\0b' }), null],
    [CHAT, chat({ temperature: 2.1 }), 'temperature'],
    [CHAT, chat({ temperature: -0.1 }), 'temperature'],
    [CHAT, chat({ temperature: '1' }), 'temperature'],
    [CHAT, chat({ top_p: 1.1 }), 'top_p'],
    [CHAT, chat({ n: 0 }), 'n'],
    [CHAT, chat({ max_tokens: 0 }), 'max_tokens'],
    [CHAT, chat({ max_tokens: 1.5 }), 'max_tokens'],
    [CHAT, chat({ max_completion_tokens: '5' }), 'max_completion_tokens'],
    [CHAT, chat({ stream: 'yes' }), 'stream'],
    [CHAT, chat({ stop: [1] }), 'stop.0'],
    [CHAT, chat({ presence_penalty: 3 }), 'presence_penalty'],
    [CHAT, chat({ tools: {} }), 'tools'],
    [CHAT, chat({ tools: [{ type: 'function', function: {} }] }), 'tools.0.function.name'],
    [CHAT, chat({ tool_choice: 1 }), 'tool_choice'],
    [CHAT, chat({ response_format: {} }), 'response_format.type'],
    [CHAT, chat({ logprobs: 1 }), 'logprobs'],
    [CHAT, chat({ top_logprobs: 21 }), 'top_logprobs'],
    [CHAT, [chat()], null],
    [CHAT, '"text"', null],
    [CHAT, '{"messages":[', null],
    [CHAT, '', 'messages'],
    [COMPLETIONS, { model: 'openai/test-model' }, 'prompt'],
    [COMPLETIONS, { prompt: [] }, 'prompt'],
    [COMPLETIONS, { prompt: [1, 2] }, 'prompt.0'],
    [COMPLETIONS, { prompt: 'x', suffix: 'y' }, 'suffix'],
    [COMPLETIONS, { prompt: 'x', echo: true }, 'echo'],
    [COMPLETIONS, { prompt: 'x', best_of: 2 }, 'best_of'],
    [COMPLETIONS, { prompt: 'x', logprobs: 1 }, 'logprobs'],
    [COMPLETIONS, { prompt: 'x', logprobs: 0 }, 'logprobs'],
    [COMPLETIONS, { prompt: ['x', 'y'], stream: true }, 'prompt'],
    [EMBEDDINGS, { input: 'x' }, 'model'],
    [EMBEDDINGS, { model: 'openai/test-model' }, 'input'],
    [EMBEDDINGS, { model: 'openai/test-model', input: '' }, 'input'],
    [EMBEDDINGS, { model: 'openai/test-model', input: [] }, 'input'],
    [EMBEDDINGS, { model: 'openai/test-model', input: Array.from({ length: 2049 }, () => 'x') }, 'input'],
    [EMBEDDINGS, { model: 'openai/test-model', input: ['x', 1] }, 'input.1'],
    [EMBEDDINGS, { model: 'openai/test-model', input: 'x', encoding_format: 'int8' }, 'encoding_format'],
    [EMBEDDINGS, { model: 'openai/test-model', input: 'x', dimensions: 0 }, 'dimensions'],
  ];
  it.each(wrong.map(([path, body, param]) => ({ path, body, param, shown: shownOf(body) })))(
    'to $path with $shown are refused, naming $param',
    async ({ path, body, param }) => {
      const error = expectEnvelope(await user.request('POST', path, body));
      expect(error).toMatchObject({ status: 400, code: 'invalid_request', type: 'invalid_request_error' });
      if (param !== null) expect(error).toMatchObject({ param });
      expect(provider.requests).toEqual([]);
    },
  );

  it.each([
    [
      CHAT,
      chat({ messages: [{ role: 'user', content: 7 }] }),
      'messages.0.content must be string or null or array.',
    ],
    [CHAT, chat({ messages: [{ role: 'user', content: [{}] }] }), 'messages.0.content.0.type is missing.'],
    [EMBEDDINGS, { model: 'openai/test-model', input: [] }, 'input must NOT have fewer than 1 items.'],
    [EMBEDDINGS, { model: 'openai/test-model', input: 7 }, 'input must be string or array.'],
    [EMBEDDINGS, { model: 'openai/test-model', input: ['x', 1] }, 'input.1 must be string.'],
  ])('get the message of the closest schema alternative: %s %j', async (path, body, message) => {
    expect(expectEnvelope(await user.request('POST', path, body))).toMatchObject({ message });
  });

  it('are refused without a valid key', async () => {
    for (const path of [CHAT, COMPLETIONS, EMBEDDINGS]) {
      for (const headers of [{}, { authorization: 'Bearer nonsense' }, { 'x-api-key': 'nonsense' }]) {
        const answer = await send(api.url + path, { method: 'POST', body: chat(), headers });
        expect(expectEnvelope(answer)).toMatchObject({
          status: 401,
          code: 'unauthorized',
          type: 'authentication_error',
          param: null,
        });
      }
    }
  });

  it('for an unknown model are refused with the names of the available ones', async () => {
    for (const [path, body] of [
      [CHAT, chat({ model: 'unheard-of' })],
      [CHAT, chat({ model: 'unheard-of', stream: true })],
      [COMPLETIONS, { model: 'unheard-of', prompt: 'x' }],
      [EMBEDDINGS, { model: 'unheard-of', input: 'x' }],
    ] as const) {
      expect(expectEnvelope(await user.request('POST', path, body))).toMatchObject({
        status: 404,
        code: 'model_not_found',
        type: 'not_found_error',
        param: 'model',
        message: expect.stringContaining('openai/test-model'),
      });
    }
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1'])(
    'with the content type %s are refused',
    async (type) => {
      const headers = { 'content-type': type, authorization: `Bearer ${user.token}` };
      const answer = await send(api.url + CHAT, { method: 'POST', body: JSON.stringify(chat()), headers });
      expect(expectEnvelope(answer)).toMatchObject({ status: 415, code: 'unsupported_media_type' });
    },
  );

  it('larger than MAX_UPLOAD_MB are refused, and smaller ones accepted', async () => {
    const content = 'x'.repeat(2 ** 21 - 1000);
    const taken = await user.request('POST', CHAT, chat({ messages: [{ role: 'user', content }] }));
    expect(taken.status).toBe(200);
    const tooMuch = { messages: [{ role: 'user', content: content.repeat(2) }] };
    expect(expectEnvelope(await user.request('POST', CHAT, chat(tooMuch)))).toMatchObject({
      status: 413,
      code: 'payload_too_large',
      message: 'The request body is too large. The limit for a JSON body is 2 MB.',
    });
  });

  it.each([
    ['a parameter', (deep: string) => `{"messages":[{"role":"user","content":"Hi"}],"novelty":${deep}}`],
    ['a message', (deep: string) => `{"messages":[{"role":"user","content":${deep}}]}`],
    ['the messages', (deep: string) => `{"messages":${deep}}`],
    ['a schema', (deep: string) => `{"messages":[],"tools":[{"type":"function","function":${deep}}]}`],
  ])('with extreme nesting in %s are refused', async (_where, bodyOf) => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = `${open.repeat(100_000)}1${close.repeat(100_000)}`;
      const answer = await user.request('POST', CHAT, bodyOf(deep));
      expect(expectEnvelope(answer)).toMatchObject({ status: 400, code: 'invalid_request' });
    }
    expect(provider.requests).toEqual([]);
  });
});

describe('a client’s disconnect', () => {
  let owner: TestUser;

  beforeAll(async () => {
    owner = await registerUser(api.url);
  });

  const ways = PROTOCOLS.flatMap((id) => [
    { id, stream: true, begun: true },
    { id, stream: true, begun: false },
    { id, stream: false, begun: false },
  ]);
  it.each(ways)(
    'aborts the call of $id and is recorded (streaming: $stream, after the first token: $begun)',
    async ({ id, stream, begun }) => {
      const before = (await usageOf(owner)).length;
      const gate = gatedAnswer(['four', ' five'], { holdHeaders: !begun, usage: USAGE });
      provider.script(gate);
      if (begun) gate.release();
      const arriving = provider.nextRequest('chat');
      const leaving = new AbortController();
      const body = chat({ model: `${id}/test-model`, stream });
      const answering = post(CHAT, body, { owner, signal: leaving.signal });
      const { closed } = await arriving;
      if (begun) {
        const reader = (await answering).body?.pipeThrough(new TextDecoderStream()).getReader();
        let text = '';
        while (!text.includes('four')) text += (await reader?.read())?.value ?? '';
        reader?.closed.catch(() => undefined);
      }
      leaving.abort();
      if (!begun) await expect(answering).rejects.toThrow('aborted');
      expect(await closed).toMatchObject({ by: 'client' });
      const rows = await usageWhen(owner, before + 1);
      expect(rows).toHaveLength(before + 1);
      expect(rows.at(-1)).toMatchObject({
        provider: id,
        model: 'test-model',
        outcome: 'cancelled',
        attempt: 1,
      });
      // The provider has processed the prompt, whether or not it began to answer.
      expect(Number(rows.at(-1)?.['input_tokens'])).toBeGreaterThan(0);
    },
  );
});

describe('usage that a host does not report', () => {
  const COUNTED = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 };

  it.each(PROTOCOLS)('is estimated, and returned if requested: %s', async (id) => {
    const model = `${id}/test-model`;
    provider.setDefault({ kind: 'answer', text: ['four', ' five'], usage: 'none' });
    const whole = await user.request('POST', CHAT, chat({ model }));
    expect(whole.body).toMatchObject({ usage: COUNTED });
    const options = { stream: true, stream_options: { include_usage: true } };
    const chunks = await chunksOf(CHAT, chat({ model, ...options }));
    expect(chunks.at(-1)).toMatchObject({ id: at(chunks[0], 'id'), model, choices: [], usage: COUNTED });
    expect(chunks.filter((chunk) => at(chunk, 'usage'))).toHaveLength(1);
    const silent = await chunksOf(CHAT, chat({ model, stream: true }));
    expect(silent.filter((chunk) => at(chunk, 'usage'))).toEqual([]);
    const text = await chunksOf(COMPLETIONS, { model, prompt: 'one two three', ...options });
    expect(text.at(-1)).toMatchObject({ object: 'text_completion', model, choices: [], usage: COUNTED });
    expect(text.filter((chunk) => at(chunk, 'usage'))).toHaveLength(1);
  });
});

describe('the list of models', () => {
  it('includes the aliases, which can be retrieved and used', async () => {
    const alias = (id: string) => ({ id, object: 'model', created: expect.any(Number), owned_by: 'alias' });
    const { body } = await user.request('GET', '/v1/models');
    const listed = listAt(body, 'data');
    expect(listed.slice(0, 2)).toEqual([alias('fast/one'), alias('__proto__')]);
    expect(listed).toContainEqual(expect.objectContaining({ id: 'openai/test-model', owned_by: 'openai' }));
    for (const id of ['fast/one', '__proto__']) {
      expect((await user.request('GET', `/v1/models/${id}`)).body).toEqual(alias(id));
      expect((await user.request('POST', CHAT, chat({ model: id }))).status).toBe(200);
    }
    expect((await user.request('GET', '/v1/models/constructor')).status).toBe(404);
  });
});

describe('the ledger', () => {
  it('has exactly one record per call, whatever its outcome', async () => {
    const owner = await registerUser(api.url);
    const model = 'openai/test-model';
    const answer: Behavior = { kind: 'answer', text: 'four five', usage: USAGE };
    provider.script(answer, answer, answer, { kind: 'error', status: 400 });
    await owner.request('POST', CHAT, chat({ model }));
    await (await post(CHAT, chat({ model, stream: true }), { owner })).text();
    await owner.request('POST', COMPLETIONS, { model, prompt: 'one' });
    await owner.request('POST', CHAT, chat({ model }));
    await owner.request('POST', EMBEDDINGS, { model, input: ['one two', 'three'] });
    expect(await usageWhen(owner, 5)).toMatchObject([
      ...[1, 2, 3].map(() => ({
        outcome: 'completed',
        input_tokens: 41,
        output_tokens: 17,
        estimated: false,
      })),
      { outcome: 'failed', input_tokens: 0, output_tokens: 0 },
      { outcome: 'completed', input_tokens: 3, output_tokens: 0, estimated: false },
    ]);
    // A record that was written must not be written again with the next batch.
    await owner.request('POST', EMBEDDINGS, { model, input: 'four' });
    const rows = await usageWhen(owner, 6);
    expect(rows).toHaveLength(6);
    expect(new Set(rows.map(({ call_id }) => call_id)).size).toBe(6);
  });

  it('has estimates, marked as such, if the provider reports no usage', async () => {
    const owner = await registerUser(api.url);
    provider.setDefault({ kind: 'answer', text: ['four', ' five'], usage: 'none' });
    await owner.request('POST', CHAT, chat());
    await (await post(CHAT, chat({ stream: true }), { owner })).text();
    const counted = { outcome: 'completed', input_tokens: 7, output_tokens: 2, estimated: true };
    expect(await usageWhen(owner, 2)).toMatchObject([counted, counted]);
  });

  it('has an estimate if a host reports impossible usage', async () => {
    const owner = await registerUser(api.url);
    const absurd = { prompt_tokens: 3_000_000_000, completion_tokens: 1 };
    provider.script(
      { kind: 'answer', usage: USAGE },
      { kind: 'answer', usage: absurd },
      { kind: 'answer', usage: USAGE },
    );
    for (let call = 0; call < 3; call += 1) await owner.request('POST', CHAT, chat());
    const rows = await usageWhen(owner, 3);
    expect(rows.map((row) => at(row, 'estimated'))).toEqual([false, true, false]);
  });
});

describe('POST /v1/completions', () => {
  const model = 'openai/test-model';

  it('completes a prompt', async () => {
    provider.script({ kind: 'answer', text: 'four five', usage: USAGE, finishReason: 'length' });
    const { status, body } = await user.request('POST', COMPLETIONS, { model, prompt: 'one', max_tokens: 2 });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^cmpl-/),
      object: 'text_completion',
      created: expect.any(Number),
      model,
      choices: [{ text: 'four five', index: 0, finish_reason: 'length', logprobs: null }],
      usage: TOTAL,
    });
    expect(sentBody()).toEqual({
      model: 'test-model',
      stream: false,
      messages: [{ role: 'user', content: 'one' }],
      max_tokens: 2,
    });
  });

  it('completes several prompts in order, with their total usage', async () => {
    const prompt = ['one', 'two three', 'four'];
    const { body } = await user.request('POST', COMPLETIONS, { model, prompt });
    expect(listAt(body, 'choices')).toMatchObject(prompt.map((text, index) => ({ index, text })));
    expect(body).toMatchObject({ usage: { prompt_tokens: 4, completion_tokens: 4, total_tokens: 8 } });
  });

  it('accepts the default values of unsupported parameters', async () => {
    const defaults = { suffix: null, echo: false, best_of: 1, logprobs: null };
    const { status } = await user.request('POST', COMPLETIONS, { model, prompt: 'one', ...defaults });
    expect(status).toBe(200);
    for (const name of Object.keys(defaults)) expect(sentBody()).not.toHaveProperty(name);
  });

  it.each([true, false])('streams text completions (include_usage: %s)', async (include_usage) => {
    provider.script({ kind: 'answer', text: ['four', ' five'], usage: USAGE });
    const body = { model, prompt: 'one', stream: true, stream_options: { include_usage } };
    const chunks = await chunksOf(COMPLETIONS, body);
    const last = include_usage ? chunks.pop() : undefined;
    if (include_usage) expect(last).toMatchObject({ choices: [], usage: TOTAL });
    const [id, created] = [at(chunks[0], 'id'), at(chunks[0], 'created')];
    const common = { id, object: 'text_completion', created, model };
    const choice = (text: string, finish_reason: string | null) => ({
      ...common,
      choices: [{ text, index: 0, finish_reason, logprobs: null }],
    });
    expect(chunks).toEqual([choice('four', null), choice(' five', null), choice('', 'stop')]);
  });
});

/** Shortens a body for the name of a test. */
function shownOf(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
