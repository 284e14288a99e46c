// The tables of representative answers and pages are requested under each setting of CORS_ORIGINS.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EXPOSED_HEADERS } from '../../../src/http/server/cors.js';
import { startApi, type TestApi } from '../../support/api.js';
import { collect, registerUser, send, type TestUser } from '../../support/client.js';
import { uploadedId } from '../../support/files.js';
import { type FakeProvider, startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { query } from '../../support/stored.js';

let provider: FakeProvider;

beforeAll(async () => {
  provider = await startFakeProvider();
});

afterAll(async () => {
  await provider.close();
});

function start(environment: Readonly<Record<string, string>> = {}): Promise<TestApi> {
  return startApi({
    OPENAI_BASE_URL: `${provider.origin}/v1`,
    ANTHROPIC_BASE_URL: provider.origin,
    OLLAMA_BASE_URL: provider.origin,
    LLM_MAX_RETRIES: '0',
    ...environment,
  });
}

const message = { role: 'user', content: 'Hello' };
const messages = [message];

interface Representative {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  /** True if the request has credentials. */
  readonly known?: boolean;
  readonly status: number;
  readonly type: RegExp;
}

const JSON_TYPE = /^application\/json/;

/** A response of each kind: the request that causes it, and its expected status and type. */
const ANSWERS: [name: string, answer: Representative][] = [
  ['JSON', { path: '/health/live', status: 200, type: JSON_TYPE }],
  ['JSON for an account', { path: '/api/v1/users/me', known: true, status: 200, type: JSON_TYPE }],
  ['no credentials', { path: '/api/v1/users/me', status: 401, type: JSON_TYPE }],
  ['an unknown path', { path: '/nowhere', status: 404, type: JSON_TYPE }],
  ['a path that cannot be decoded', { path: '/api/v1/conversations/%ff', status: 400, type: JSON_TYPE }],
  [
    'a body that cannot be parsed',
    { method: 'POST', path: '/api/v1/auth/login', body: '{"email":', status: 400, type: JSON_TYPE },
  ],
  [
    'a body that is too large',
    { method: 'POST', path: '/api/v1/auth/login', body: 'x'.repeat(2 ** 21), status: 413, type: JSON_TYPE },
  ],
  [
    'an event stream',
    {
      method: 'POST',
      path: '/api/v1/chat/stream',
      body: { message: 'Hello', model: 'openai/gpt-5.5' },
      known: true,
      status: 200,
      type: /^text\/event-stream/,
    },
  ],
  [
    'an event stream in OpenAI’s API format',
    {
      method: 'POST',
      path: '/v1/chat/completions',
      body: { model: 'openai/gpt-5.5', messages, stream: true },
      known: true,
      status: 200,
      type: /^text\/event-stream/,
    },
  ],
  ['OpenAI’s models', { path: '/v1/models', known: true, status: 200, type: JSON_TYPE }],
  [
    'OpenAI’s API without credentials',
    { method: 'POST', path: '/v1/chat/completions', body: {}, status: 401, type: JSON_TYPE },
  ],
  [
    'Anthropic’s API',
    {
      method: 'POST',
      path: '/v1/messages',
      body: { model: 'anthropic/claude-opus-5', messages, max_tokens: 100 },
      known: true,
      status: 200,
      type: JSON_TYPE,
    },
  ],
  [
    'a stream of lines in Ollama’s API format',
    {
      method: 'POST',
      path: '/ollama/api/chat',
      body: { model: 'ollama/llama3.2', messages },
      known: true,
      status: 200,
      type: /^application\/x-ndjson/,
    },
  ],
  ['the OpenAPI document', { path: '/docs-json', status: 200, type: JSON_TYPE }],
];

/** The documentation pages and the resources that they load from this server. */
const PAGES: [path: string, type: RegExp][] = [
  ['/docs', /^text\/html/],
  ['/docs/swagger-ui-init.js', /javascript/],
  ['/docs/swagger-ui.css', /^text\/css/],
  ['/redoc', /^text\/html/],
  ['/redoc/redoc.standalone.js', /javascript/],
];

/** Headers that every response must have. */
const EVERYWHERE = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

function ask(
  url: string,
  user: TestUser,
  { method = 'GET', path, body, known = false }: Representative,
  headers: Readonly<Record<string, string>> = {},
) {
  return send(`${url}${path}`, {
    method,
    body,
    headers: { ...(known && { authorization: `Bearer ${user.token}` }), ...headers },
  });
}

/** Parses the directives of a policy, none of which may appear twice. */
function policyOf(headers: Headers): Record<string, string> {
  const directives = (headers.get('content-security-policy') ?? '').split(';').map((directive) => {
    const [name = '', ...sources] = directive.trim().split(' ');
    return [name, sources.join(' ')] as const;
  });
  expect(new Set(directives.map(([name]) => name)).size).toBe(directives.length);
  return Object.fromEntries(directives);
}

const NOTHING = {
  'default-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

describe('the security headers', () => {
  let api: TestApi;
  let user: TestUser;

  beforeAll(async () => {
    api = await start({ TRUST_PROXY: 'loopback' });
    user = await registerUser(api.url);
  });

  afterAll(async () => {
    await api.close();
  });

  it.each(ANSWERS)('are on %s, with a policy that allows nothing in a browser', async (_name, answer) => {
    const { status, headers } = await ask(api.url, user, answer);
    expect(status).toBe(answer.status);
    expect(headers.get('content-type')).toMatch(answer.type);
    expect(Object.fromEntries(headers)).toMatchObject(EVERYWHERE);
    expect(policyOf(headers)).toEqual(NOTHING);
    expect(headers.has('x-powered-by')).toBe(false);
  });

  it.each(PAGES)('are on %s, with a policy that allows this server’s own resources', async (path, type) => {
    const { status, headers } = await send(`${api.url}${path}`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(type);
    expect(Object.fromEntries(headers)).toMatchObject(EVERYWHERE);
    const { 'worker-src': workers, ...policy } = policyOf(headers);
    expect(workers).toBe(path.startsWith('/redoc') ? "'self' blob:" : undefined);
    expect(policy).toEqual({
      ...NOTHING,
      'script-src': "'self'",
      'style-src': "'self' 'unsafe-inline'",
      'img-src': "'self' data:",
      'connect-src': "'self'",
    });
  });

  it('include Strict-Transport-Security only if the request came over HTTPS', async () => {
    const header = 'strict-transport-security';
    expect((await send(`${api.url}/health/live`)).headers.has(header)).toBe(false);
    const secure = await send(`${api.url}/health/live`, { headers: { 'x-forwarded-proto': 'https' } });
    expect(secure.headers.get(header)).toBe('max-age=31536000');
  });

  it('ignore X-Forwarded-Proto if no proxy is trusted', async () => {
    const alone = await start();
    const { headers } = await send(`${alone.url}/health/live`, { headers: { 'x-forwarded-proto': 'https' } });
    await alone.close();
    expect(headers.has('strict-transport-security')).toBe(false);
  });
});

const LISTED = 'https://app.example.com';

/** Origins that differ slightly from a listed one. */
const UNLISTED = [
  'https://app.example.com.evil.example',
  'https://example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://app.example.com/',
  'null',
];

/** Returns the names of the CORS headers of a response. */
function crossOriginHeaders(headers: Headers): string[] {
  return [...headers.keys()].filter((name) => name.startsWith('access-control-'));
}

function variesByOrigin(headers: Headers): boolean {
  return (headers.get('vary') ?? '').toLowerCase().split(/, */).includes('origin');
}

/**
 * Headers that a page may always read (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name),
 * and headers for the browser only.
 */
const FOR_THE_BROWSER = new RegExp(
  `^(${[
    'cache-control|content-length|content-type|x-accel-buffering',
    'connection|date|keep-alive|transfer-encoding|vary|access-control-.*',
    'content-security-policy|cross-origin-.*|origin-agent-cluster|referrer-policy|x-content-type-options',
    'x-dns-prefetch-control|x-download-options|x-frame-options|x-permitted-cross-domain-policies|x-xss-protection',
  ].join('|')})$`,
);

/** Sends the request with which a browser asks for permission before a non-simple cross-origin request. */
function preflight(url: string, origin: string, method: string, wanted = 'authorization') {
  return send(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': wanted,
    },
  });
}

/** The responses of every kind, and the pages with their resources. */
const EVERYTHING: [name: string, answer: Representative][] = [
  ...ANSWERS,
  ...PAGES.map(([path, type]): [string, Representative] => [path, { path, status: 200, type }]),
];

describe('without CORS_ORIGINS, a page of another origin', () => {
  let api: TestApi;
  let user: TestUser;

  beforeAll(async () => {
    api = await start();
    user = await registerUser(api.url);
  });

  afterAll(async () => {
    await api.close();
  });

  it.each(EVERYTHING)('cannot read %s', async (_name, answer) => {
    const { headers } = await ask(api.url, user, answer, { origin: LISTED });
    expect(crossOriginHeaders(headers)).toEqual([]);
    expect(variesByOrigin(headers)).toBe(false);
  });

  it('gets no permission from a preflight request', async () => {
    const { status, headers } = await preflight(`${api.url}/api/v1/users/me`, LISTED, 'GET');
    expect(status).toBe(404);
    expect(crossOriginHeaders(headers)).toEqual([]);
  });
});

describe('with a list in CORS_ORIGINS, a page of another origin', () => {
  let api: TestApi;
  let user: TestUser;

  beforeAll(async () => {
    api = await start({ CORS_ORIGINS: `http://localhost:5173, ${LISTED}` });
    user = await registerUser(api.url);
  });

  afterAll(async () => {
    await api.close();
  });

  it.each(EVERYTHING)('can read %s if its origin is listed, and otherwise not', async (_name, answer) => {
    const listed = await ask(api.url, user, answer, { origin: LISTED });
    expect(listed.status).toBe(answer.status);
    expect(listed.headers.get('access-control-allow-origin')).toBe(LISTED);
    expect(listed.headers.get('access-control-expose-headers')?.split(',')).toEqual(EXPOSED_HEADERS);
    expect(crossOriginHeaders(listed.headers)).toHaveLength(2);
    expect(variesByOrigin(listed.headers)).toBe(true);
    const other = await ask(api.url, user, answer, { origin: 'https://other.example.com' });
    expect(other.status).toBe(answer.status);
    expect(crossOriginHeaders(other.headers)).toEqual([]);
    expect(variesByOrigin(other.headers)).toBe(true);
  });

  it('gets its own origin in Access-Control-Allow-Origin', async () => {
    const { headers } = await send(`${api.url}/health/live`, {
      headers: { origin: 'http://localhost:5173' },
    });
    expect(headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
  });

  it.each(UNLISTED)('is refused if its origin only resembles a listed one: %s', async (origin) => {
    const { headers } = await send(`${api.url}/health/live`, { headers: { origin } });
    expect(crossOriginHeaders(headers)).toEqual([]);
    const asked = await preflight(`${api.url}/api/v1/users/me`, origin, 'GET');
    expect(asked.status).toBe(404);
    expect(crossOriginHeaders(asked.headers)).toEqual([]);
  });

  it.each(['/api/v1/users/me', '/v1/chat/completions', '/v1/messages', '/ollama/api/chat', '/docs-json'])(
    'can request %s with every header and method that known clients use',
    async (path) => {
      const wanted = [
        'authorization',
        'x-api-key',
        'content-type',
        'idempotency-key',
        'last-event-id',
        'x-conversation-id',
        'x-request-id',
        'anthropic-version',
        'anthropic-beta',
        'anthropic-dangerous-direct-browser-access',
        'x-stainless-retry-count',
      ].join(',');
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const { status, headers, body } = await preflight(`${api.url}${path}`, LISTED, method, wanted);
        expect([status, body]).toEqual([204, '']);
        expect(headers.get('access-control-allow-origin')).toBe(LISTED);
        expect(headers.get('access-control-allow-methods')?.split(',')).toContain(method);
        expect(headers.get('access-control-allow-headers')).toBe(wanted);
        expect(headers.get('access-control-max-age')).toBe('7200');
        expect(headers.has('access-control-allow-credentials')).toBe(false);
        expect(headers.get('x-request-id')).not.toBe('');
        expect(variesByOrigin(headers)).toBe(true);
      }
    },
  );

  it('can read the 503 of a server that is shutting down', async () => {
    const ending = await start({ CORS_ORIGINS: LISTED });
    const gate = gatedAnswer(['one']);
    provider.script(gate);
    const arrived = provider.nextRequest('chat');
    const somebody = await registerUser(ending.url);
    const running = collect(
      somebody.stream('/api/v1/chat/stream', { message: 'Hello', model: 'openai/gpt-5.5' }),
    );
    await arrived;
    const closed = ending.close();
    const refused = await send(`${ending.url}/health/live`, { headers: { origin: LISTED } });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('access-control-allow-origin')).toBe(LISTED);
    gate.finish();
    await running;
    await closed;
  });
});

describe('with CORS_ORIGINS=*, a page of another origin', () => {
  let api: TestApi;
  let user: TestUser;

  beforeAll(async () => {
    api = await start({ CORS_ORIGINS: '*' });
    user = await registerUser(api.url);
  });

  afterAll(async () => {
    await api.close();
  });

  it.each(EVERYTHING)('can read %s, and cannot send the browser’s credentials', async (_name, answer) => {
    for (const headers of [{ origin: 'https://any.example' }, {}]) {
      const received = await ask(api.url, user, answer, headers);
      expect(received.status).toBe(answer.status);
      expect(received.headers.get('access-control-allow-origin')).toBe('*');
      expect(received.headers.get('access-control-expose-headers')?.split(',')).toEqual(EXPOSED_HEADERS);
      expect(crossOriginHeaders(received.headers)).toHaveLength(2);
      expect(variesByOrigin(received.headers)).toBe(false);
    }
  });

  it('gets permission for every header', async () => {
    const { status, headers } = await preflight(
      `${api.url}/v1/messages`,
      'https://any.example',
      'POST',
      'x-one',
    );
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-headers')).toBe('x-one');
    expect(headers.has('access-control-allow-credentials')).toBe(false);
  });
});

describe('with rate limits, a page of another origin', () => {
  let api: TestApi;

  beforeAll(async () => {
    // One of the three requests is for the registration of the account.
    api = await start({ CORS_ORIGINS: LISTED, RATE_LIMIT_IP_RPM: '3', RATE_LIMIT_TPM: '50000' });
  });

  afterAll(async () => {
    await api.close();
  });

  it('can send unlimited preflight requests and read every Parley header, also of errors', async () => {
    const user = await registerUser(api.url);
    const id = '0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11';
    await query(
      api.database,
      `INSERT INTO conversations (id, user_id, title) SELECT $1, id, 'empty' FROM users WHERE email = $2`,
      [id, user.email],
    );
    for (const path of ['/api/v1/users/me', '/docs-json', '/v1/messages']) {
      for (let count = 0; count < 5; count += 1)
        expect((await preflight(`${api.url}${path}`, LISTED, 'GET')).status).toBe(204);
    }
    const file = await uploadedId(api.url, user);
    const openai = { path: '/v1/chat/completions', method: 'POST', known: true, type: JSON_TYPE };
    const representatives: Representative[] = [
      { ...openai, body: { model: 'openai/gpt-5.5', messages, cache: true }, status: 200 },
      { ...openai, body: { model: 'openai/gpt-5.5', messages, max_tokens: 60_000 }, status: 429 },
      {
        ...openai,
        path: '/v1/messages',
        body: { model: 'ollama/llama3.2', messages, max_tokens: 10, top_k: 7, service_tier: 'auto' },
        status: 200,
      },
      { ...openai, path: '/api/v1/chat', body: { message: 'Hello', model: 'openai/gpt-5.5' }, status: 200 },
      { ...openai, path: '/api/v1/chat', body: { message: 'Hello', model: 'openai/gpt-5.5' }, status: 200 },
      { path: `/api/v1/conversations/${id}/export`, known: true, status: 200, type: JSON_TYPE },
      { path: '/v1/messages', method: 'POST', body: {}, status: 401, type: JSON_TYPE },
      { path: `/api/v1/files/${file}/content`, known: true, status: 206, type: /^text\/plain/ },
      { path: '/api/v1/users/me', status: 401, type: JSON_TYPE },
      { path: '/api/v1/users/me', status: 429, type: JSON_TYPE },
    ];
    const seen = new Set<string>();
    for (const answer of representatives) {
      const more = {
        '/v1/messages': { 'anthropic-version': '2023-06-01' },
        '/api/v1/chat': { 'idempotency-key': 'the-same' },
        [`/api/v1/files/${file}/content`]: { range: 'bytes=0-1' },
      }[answer.path];
      const { status, headers } = await ask(api.url, user, answer, { origin: LISTED, ...more });
      expect({ ...answer, status }).toEqual(answer);
      expect(headers.get('access-control-allow-origin')).toBe(LISTED);
      for (const name of headers.keys()) if (!FOR_THE_BROWSER.test(name)) seen.add(name);
    }
    expect([...seen].sort()).toEqual(EXPOSED_HEADERS.map((name) => name.toLowerCase()).sort());
  });
});
