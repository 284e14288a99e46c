import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../support/api.js';
import { registerUser, send, type TestUser } from '../support/client.js';
import { type FakeProvider, startFakeProvider } from '../support/fake-provider/fake-provider.js';

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
  /** Whether it comes with credentials. */
  readonly known?: boolean;
  readonly status: number;
  readonly type: RegExp;
}

const JSON_TYPE = /^application\/json/;

/** An answer of each kind: what makes it, and what tells that it is the one that is meant. */
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
    'an event stream on OpenAI’s wire',
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
    'OpenAI’s wire without credentials',
    { method: 'POST', path: '/v1/chat/completions', body: {}, status: 401, type: JSON_TYPE },
  ],
  [
    'Anthropic’s wire',
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
    'lines on Ollama’s wire',
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

/** The pages, and what they load from us. */
const PAGES: [path: string, type: RegExp][] = [
  ['/docs', /^text\/html/],
  ['/docs/swagger-ui-init.js', /javascript/],
  ['/docs/swagger-ui.css', /^text\/css/],
  ['/redoc', /^text\/html/],
  ['/redoc/redoc.standalone.js', /javascript/],
];

/** What every answer has, whatever it is. */
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

/** The directives of a policy; none may stand in it twice. */
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

  it.each(ANSWERS)('are on %s, which may do nothing in a browser', async (_name, answer) => {
    const { status, headers } = await ask(api.url, user, answer);
    expect(status).toBe(answer.status);
    expect(headers.get('content-type')).toMatch(answer.type);
    expect(Object.fromEntries(headers)).toMatchObject(EVERYWHERE);
    expect(policyOf(headers)).toEqual(NOTHING);
    expect(headers.has('x-powered-by')).toBe(false);
  });

  it.each(PAGES)('are on %s, which may use what is ours', async (path, type) => {
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

  it('ask for HTTPS only where the request came by it', async () => {
    const header = 'strict-transport-security';
    expect((await send(`${api.url}/health/live`)).headers.has(header)).toBe(false);
    const secure = await send(`${api.url}/health/live`, { headers: { 'x-forwarded-proto': 'https' } });
    expect(secure.headers.get(header)).toBe('max-age=31536000');
  });

  it('take nobody’s word for HTTPS where no proxy is trusted', async () => {
    const alone = await start();
    const { headers } = await send(`${alone.url}/health/live`, { headers: { 'x-forwarded-proto': 'https' } });
    await alone.close();
    expect(headers.has('strict-transport-security')).toBe(false);
  });
});
