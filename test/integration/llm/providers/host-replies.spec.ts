// Real components: the API on a socket, PostgreSQL, and hosts on a socket with replies observed from real
// ones. Two tables hold these replies: complete replies with the answer that a client gets, and failures with
// its error.
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { at, listAt } from '../../../support/client.js';
import { type RawReplier, RawHosts } from '../../../support/raw-host.js';
import { setUpApi, setUpResource, setUpUser } from '../../../support/set-up.js';
import { SURFACES, type SurfaceName } from '../../../support/surfaces.js';

const SSE = { 'content-type': 'text/event-stream' };
const USAGE = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const HEAD = { id: 'c', created: 1, model: 'm' };

const isStream = (body: unknown): boolean => at(body, 'stream') === true;
const frame = (choice: object, more: object = {}): string =>
  `data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices: [{ index: 0, ...choice }], ...more })}\n\n`;
const delta = (value: object, finish_reason: string | null = null): string =>
  frame({ delta: value, finish_reason });
const whole = (message: object, finish_reason: string | null | undefined = 'stop', more: object = {}) =>
  JSON.stringify({
    ...HEAD,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason, ...more }],
    usage: USAGE,
  });
const DONE = 'data: [DONE]\n\n';

/** A host that replies with these frames if a stream was requested, and otherwise with that body. */
const answers =
  (frames: readonly string[], body: string): RawReplier =>
  ({ body: asked }) =>
    isStream(asked) ? { headers: SSE, body: frames.join('') + DONE } : { body };
const refuses =
  (status: number, body: unknown): RawReplier =>
  () => ({ status, body: JSON.stringify(body) });

const HELLO = answers(
  [delta({ role: 'assistant', content: 'Hello' }), delta({}, 'stop')],
  whole({ content: 'Hello' }),
);
/** The same host behind a compressing proxy. */
const packed =
  (coding: string, pack: (bytes: Buffer) => Uint8Array): RawReplier =>
  (request) => {
    const { headers, body } = HELLO(request);
    return { headers: { ...headers, 'content-encoding': coding }, body: pack(Buffer.from(body)) };
  };

const call = (id: string, args: unknown, more: object = {}): object => ({
  id,
  type: 'function',
  function: { name: 'get_weather', arguments: args },
  ...more,
});
const PARTS = [
  { type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] },
  { type: 'text', text: 'Hello' },
];

/** 17 members of 16 MiB each: more than 256 MiB of spaces in a few hundred kilobytes. */
const BOMB = Buffer.concat(
  Array.from<Buffer>({ length: 17 }).fill(gzipSync(Buffer.alloc(16 * 1024 * 1024, ' '))),
);

interface Answer {
  readonly what: string;
  readonly reply: RawReplier;
  readonly expected?: {
    readonly text?: string;
    readonly calls?: readonly string[];
    readonly finish?: string;
  };
}

/** Complete answers in unusual formats. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  parts: {
    what: 'content in parts',
    reply: answers(
      [delta({ content: PARTS.slice(0, 1) }), delta({ content: PARTS.slice(1) }), delta({}, 'stop')],
      whole({ content: PARTS }),
    ),
  },
  argobj: {
    what: 'tool call arguments as an object',
    reply: answers(
      [delta({ tool_calls: [call('call_a', { city: 'Oslo' }, { index: 0 })] }), delta({}, 'tool_calls')],
      whole({ content: null, tool_calls: [call('call_a', { city: 'Oslo' })] }, 'tool_calls'),
    ),
    expected: { text: '', calls: ['call_a get_weather {"city":"Oslo"}'], finish: 'tool_calls' },
  },
  noindex: {
    what: 'two tool calls without an index',
    reply: answers(
      [
        delta({ tool_calls: [call('call_a', '{"city":"Oslo"}')] }),
        delta({ tool_calls: [call('call_b', '{"city":"Rome"}')] }),
        delta({}, 'tool_calls'),
      ],
      whole(
        { content: null, tool_calls: [call('call_a', '{"city":"Oslo"}'), call('call_b', '{"city":"Rome"}')] },
        'tool_calls',
      ),
    ),
    expected: {
      text: '',
      calls: ['call_a get_weather {"city":"Oslo"}', 'call_b get_weather {"city":"Rome"}'],
      finish: 'tool_calls',
    },
  },
  finnull: {
    what: 'no finish reason in a JSON answer',
    reply: answers([delta({ content: 'Hello' }), delta({}, 'stop')], whole({ content: 'Hello' }, null)),
  },
  azfilter: {
    what: 'a finish reason in a choice without a delta',
    reply: answers(
      [
        delta({ role: 'assistant', content: 'Hello' }),
        frame({ finish_reason: 'content_filter', content_filter_results: { hate: { filtered: true } } }),
      ],
      whole({ content: 'Hello' }, 'content_filter'),
    ),
    expected: { finish: 'content_filter' },
  },
  gzip: { what: 'a gzip-compressed body', reply: packed('gzip', gzipSync) },
  deflate: { what: 'a deflate-compressed body', reply: packed('deflate', deflateSync) },
  rawdeflate: {
    what: 'a deflate-compressed body without zlib header',
    reply: packed('deflate', deflateRawSync),
  },
  br: { what: 'a Brotli-compressed body', reply: packed('br', brotliCompressSync) },
  zstd: { what: 'a Zstandard-compressed body', reply: packed('zstd', zstdCompressSync) },
  twice: {
    what: 'a body compressed twice',
    reply: packed('deflate, gzip', (bytes) => gzipSync(deflateSync(bytes))),
  },
  unpacked: { what: 'an uncompressed body declared as gzip', reply: packed('gzip', (bytes) => bytes) },
  nostream: {
    what: 'JSON instead of the requested stream',
    reply: () => ({ body: whole({ content: 'Hello' }) }),
  },
  allsse: {
    what: 'a stream instead of the requested JSON',
    reply: () => ({
      headers: SSE,
      body: delta({ content: 'Hel' }) + delta({ content: 'lo' }) + delta({}, 'stop') + DONE,
    }),
  },
};

interface Failure {
  readonly what: string;
  readonly reply: RawReplier;
  readonly status: number;
  readonly code: string;
  readonly message: RegExp;
  /** Number of requests to the model. */
  readonly asked: number;
  /** True if an alias falls back to its next model. */
  readonly chain: boolean;
}

const TOO_LONG = { status: 400, code: 'context_length_exceeded', asked: 1, chain: true } as const;
const REJECTED = { status: 400, code: 'provider_rejected', asked: 1, chain: false } as const;
const UNREADABLE = {
  status: 502,
  code: 'provider_error',
  message: /could not be parsed|broke/,
  asked: 1,
  chain: true,
} as const;

const FAILURES: Readonly<Record<string, Failure>> = {
  ctxllama: {
    ...TOO_LONG,
    what: 'llama.cpp’s context length error',
    reply: refuses(400, {
      error: {
        code: 400,
        message:
          'request (124315 tokens) exceeds the available context size (123904 tokens), try increasing it',
        type: 'exceed_context_size_error',
      },
    }),
    message: /context/,
  },
  ctxvllm: {
    ...TOO_LONG,
    what: 'vLLM’s context length error',
    reply: refuses(400, {
      object: 'error',
      message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
      type: 'BadRequestError',
      param: null,
      code: 400,
    }),
    message: /context/,
  },
  ctxsglang: {
    ...TOO_LONG,
    what: 'SGLang’s context length error',
    reply: refuses(400, {
      object: 'error',
      message: "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
      type: 'BadRequestError',
      param: null,
      code: 400,
    }),
    message: /context/,
  },
  err200: {
    ...TOO_LONG,
    what: 'an error with status 200',
    reply: refuses(200, {
      error: {
        code: 400,
        message: 'the request exceeds the available context size. try increasing the context size',
        type: 'exceed_context_size_error',
      },
    }),
    message: /context/,
  },
  pay402: {
    what: 'an insufficient balance',
    reply: refuses(402, {
      error: {
        message: 'Insufficient Balance',
        type: 'unknown_error',
        param: null,
        code: 'invalid_request_error',
      },
    }),
    status: 502,
    code: 'provider_error',
    message: /account|money|limit/,
    asked: 1,
    chain: true,
  },
  errstr: {
    ...REJECTED,
    what: 'an error that is a string',
    reply: refuses(400, { error: 'Input validation error: `n` must be <= 10', error_type: 'validation' }),
    message: /^Input validation error: `n` must be <= 10$/,
  },
  errdetail: {
    ...REJECTED,
    what: 'an error in `detail`',
    reply: refuses(422, {
      detail: [{ loc: ['body', 'messages'], msg: 'field required', type: 'value_error.missing' }],
    }),
    message: /field required/,
  },
  errlist: {
    ...REJECTED,
    what: 'an error in an array',
    reply: refuses(400, [
      { error: { code: 400, message: 'Please use a valid role', status: 'INVALID_ARGUMENT' } },
    ]),
    message: /^Please use a valid role$/,
  },
  page: { ...UNREADABLE, what: 'an HTML page', reply: () => ({ body: '<html><body>Hi</body></html>' }) },
  scalar: { ...UNREADABLE, what: 'JSON that is not an answer', reply: () => ({ body: '{"ok":1}' }) },
  unknowncoding: {
    ...UNREADABLE,
    what: 'an unknown content encoding',
    reply: packed('lzma', (bytes) => gzipSync(bytes)),
  },
  garbage: {
    ...UNREADABLE,
    what: 'a body that does not match its content encoding',
    reply: packed('br', () => Buffer.from('this is not Brotli, whatever the header says')),
  },
  bomb: {
    ...UNREADABLE,
    what: 'a body that decompresses beyond the limit',
    reply: packed('gzip', () => BOMB),
  },
};

const CUT = packed('gzip', (bytes) => gzipSync(bytes).subarray(0, 30));
const CUT_SURFACES = [
  '/v1/chat/completions',
  '/v1/chat/completions, streamed',
  '/v1/messages, streamed',
  '/api/v1/chat',
] as const satisfies readonly SurfaceName[];

const HOSTS: Readonly<Record<string, RawReplier>> = {
  plain: answers(
    [delta({ role: 'assistant', content: 'From the next' }), delta({}, 'stop')],
    whole({ content: 'From the next' }),
  ),
  ...Object.fromEntries(Object.entries({ ...ANSWERS, ...FAILURES }).map(([id, { reply }]) => [id, reply])),
  // One host per API, because a broken connection counts against the model and opens its circuit.
  ...Object.fromEntries(CUT_SURFACES.map((_, place) => [`cut${place}`, CUT])),
  finerr: answers(
    [
      delta({ role: 'assistant', content: 'Hel' }),
      frame({ delta: {}, finish_reason: 'error', error: { code: 502, message: 'Provider disconnected' } }),
    ],
    whole({ content: 'Hel' }, 'error', { error: { code: 502, message: 'Provider disconnected' } }),
  ),
  base64: () => ({ body: '{"data":[{"index":0,"embedding":"AACAPwAAAAA="}],"usage":{"prompt_tokens":1}}' }),
  floats: () => ({ body: '{"data":[{"index":0,"embedding":[1,0]}],"usage":{"prompt_tokens":1}}' }),
  badvector: () => ({ body: '{"data":[{"index":0,"embedding":{"a":1}}]}' }),
  gzipvector: () => ({
    headers: { 'content-encoding': 'gzip' },
    body: gzipSync('{"data":[{"index":0,"embedding":[1,0]}]}'),
  }),
  together: (request) =>
    request.path === '/v1/models'
      ? { body: '[{"id":"meta-llama/Llama-3-8b","object":"model","context_length":8192}]' }
      : HELLO(request),
};

const hosts = setUpResource(async () => {
  const resource = new RawHosts(HOSTS);
  await resource.listen();
  return { resource, close: () => resource.close() };
});
const api = setUpApi(() => ({
  LLM_HOSTS: JSON.stringify(
    Object.keys(HOSTS).map((id) => ({
      id,
      base_url: `${hosts().urlOf(id)}/v1`,
      ...(id !== 'together' && { models: ['m'] }),
    })),
  ),
  MODEL_ALIASES: JSON.stringify(
    Object.fromEntries(Object.keys(FAILURES).map((id) => [`chain-${id}`, [`${id}/m`, 'plain/m']])),
  ),
  DEFAULT_MODEL: 'plain/m',
  LLM_MAX_RETRIES: '1',
}));
const user = setUpUser(api);

const isSurface = (name: string): name is SurfaceName => name in SURFACES;
const surfaces = Object.keys(SURFACES).filter(isSurface);
const ask = (surface: SurfaceName, model: string) => SURFACES[surface]({ url: api.url, user }, model);
/** Lists the APIs for an answer: /v1/completions has no tools. */
const surfacesFor = ({ expected: received }: Answer): SurfaceName[] =>
  surfaces.filter((surface) => received?.calls === undefined || !surface.startsWith('/v1/completions'));

describe('an unusual but complete host reply', () => {
  it.each(
    Object.entries(ANSWERS).flatMap(([id, answer]) =>
      surfacesFor(answer).map((surface) => ({ ...answer, id, surface })),
    ),
  )('with $what is understood, on $surface', async ({ id, surface, expected: received }) => {
    const since = hosts().requests.length;
    expect(await ask(surface, `${id}/m`)).toEqual({
      status: 200,
      text: 'Hello',
      calls: [],
      finish: 'stop',
      error: undefined,
      message: undefined,
      ...received,
    });
    expect(hosts().asked(id, since)).toBe(1);
  });

  it('with thinking within the content becomes thinking blocks in Anthropic’s format', async () => {
    const { body } = await user.request('POST', '/v1/messages', {
      model: 'parts/m',
      max_tokens: 10,
      messages: [{ role: 'user', content: 'Hi' }],
    });
    expect(listAt(body, 'content')).toMatchObject([
      { type: 'thinking', thinking: 'Hm' },
      { type: 'text', text: 'Hello' },
    ]);
  });

  it('is requested without compression', () => {
    expect(new Set(hosts().requests.map(({ headers }) => headers['accept-encoding']))).toEqual(
      new Set(['identity']),
    );
  });
});

describe('a host failure', () => {
  const wholes = ['/v1/chat/completions', '/api/v1/chat'] as const;
  const streamed = ['/v1/chat/completions, streamed', '/v1/messages, streamed'] as const;

  it.each(
    Object.entries(FAILURES).flatMap(([id, failure]) =>
      wholes.map((surface) => ({ ...failure, id, surface })),
    ),
  )(
    'with $what is recognized on $surface after $asked requests',
    async ({ id, surface, status, code, message, asked }) => {
      const since = hosts().requests.length;
      const received = await ask(surface, `${id}/m`);
      expect([received.status, received.error, hosts().asked(id, since)]).toEqual([status, code, asked]);
      expect(received.message).toMatch(message);
    },
  );

  it.each(
    Object.entries(FAILURES).flatMap(([id, failure]) =>
      streamed.map((surface) => ({ ...failure, id, surface })),
    ),
  )(
    'with $what is recognized on $surface (alias falls back: $chain)',
    async ({ id, surface, status, message, asked, chain }) => {
      const since = hosts().requests.length;
      const received = await ask(surface, `chain-${id}`);
      expect([received.status, received.text]).toEqual(chain ? [200, 'From the next'] : [status, '']);
      if (!chain) expect(received.message).toMatch(message);
      expect([hosts().asked(id, since), hosts().asked('plain', since)]).toEqual([asked, chain ? 1 : 0]);
    },
  );

  it.each(CUT_SURFACES.map((surface, place) => ({ surface, id: `cut${place}` })))(
    'with a truncated compressed body is retried once, on $surface',
    async ({ surface, id }) => {
      const since = hosts().requests.length;
      const received = await ask(surface, `${id}/m`);
      expect([received.status, received.text, hosts().asked(id, since)]).toEqual([502, '', 2]);
    },
  );

  it.each(surfaces)('within the choice of an answer makes it incomplete, on %s', async (surface) => {
    const received = await ask(surface, 'finerr/m').catch((error: unknown) => error);
    expect(at(received, 'finish') ?? 'error').toBe('error');
    expect(at(received, 'error')).toBeDefined();
  });

  it('within the choice of an answer makes it stored as failed', async () => {
    const { headers } = await user.request('POST', '/api/v1/chat', { model: 'finerr/m', message: 'Hi' });
    const path = `/api/v1/conversations/${String(headers.get('x-conversation-id'))}/messages`;
    expect(listAt((await user.request('GET', path)).body, 'data').at(-1)).toMatchObject({
      role: 'assistant',
      status: 'failed',
    });
  });
});

describe('embeddings', () => {
  it.each(
    ['base64', 'floats', 'gzipvector'].flatMap((id) =>
      [undefined, 'float', 'base64'].map((format) => [id, format]),
    ),
  )('of the host %s are returned in the requested format: %s', async (id, encoding_format) => {
    const { status, body } = await user.request('POST', '/v1/embeddings', {
      model: `${String(id)}/m`,
      input: 'x',
      ...(encoding_format !== undefined && { encoding_format }),
    });
    expect([status, at(body, 'data', 0, 'embedding')]).toEqual([
      200,
      encoding_format === 'base64' ? 'AACAPwAAAAA=' : [1, 0],
    ]);
  });

  it('that are invalid are reported as a provider error after one request', async () => {
    const since = hosts().requests.length;
    const { status, body } = await user.request('POST', '/v1/embeddings', {
      model: 'badvector/m',
      input: 'x',
    });
    expect([status, at(body, 'error', 'code')]).toEqual([502, 'provider_error']);
    expect(hosts().asked('badvector', since)).toBe(1);
  });
});

describe('a plain array as list of models', () => {
  it('is included in the model list, and its models are found by their plain names', async () => {
    const { body } = await user.request('GET', '/v1/models');
    expect(listAt(body, 'data').map((model) => at(model, 'id'))).toContain('together/meta-llama/Llama-3-8b');
    expect(await ask('/v1/chat/completions', 'meta-llama/Llama-3-8b')).toMatchObject({
      status: 200,
      text: 'Hello',
    });
  });
});
