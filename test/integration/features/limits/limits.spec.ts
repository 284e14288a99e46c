// All kinds of limits are in one file, because consecutive cases with the same settings reuse one server.
import { afterAll, describe, expect, it } from '@jest/globals';
import { type Settings, startApi, type TestApi } from '../../../support/api.js';
import {
  type ApiResponse,
  at,
  listAt,
  registerUser,
  send,
  type TestUser,
  userWith,
} from '../../../support/client.js';
import { createMigratedDatabase } from '../../../support/database.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { complete, countByStatus } from '../../../support/limits.js';
import { setUpProvider } from '../../../support/set-up.js';
import { query } from '../../../support/stored.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';

const provider = setUpProvider();

/**
 * The API of the last test, which the next one reuses if its settings are the same. Each test has its own
 * users.
 */
let current: { readonly key: string; readonly api: TestApi } | undefined;

async function closeCurrent(): Promise<void> {
  const { api } = current ?? {};
  current = undefined;
  await api?.close();
}

afterAll(closeCurrent);

async function start(more: Settings): Promise<TestApi> {
  const key = JSON.stringify(more);
  if (current?.key === key) return current.api;
  await closeCurrent();
  const api = await startApi({
    OPENAI_BASE_URL: `${provider.origin}/v1`,
    ANTHROPIC_BASE_URL: provider.origin,
    OLLAMA_BASE_URL: provider.origin,
    LLM_MAX_RETRIES: '0',
    ...more,
  });
  current = { key, api };
  return api;
}

const message = { role: 'user', content: 'Hello' };

/** A request for each API that calls a model. */
const SURFACES: [surface: string, path: string, body: Record<string, unknown>][] = [
  ['OpenAI', '/v1/chat/completions', { model: 'openai/gpt-5.5', messages: [message] }],
  [
    'OpenAI, streamed',
    '/v1/chat/completions',
    { model: 'openai/gpt-5.5', messages: [message], stream: true },
  ],
  ['Completions', '/v1/completions', { model: 'openai/gpt-5.5', prompt: 'Hello' }],
  ['Embeddings', '/v1/embeddings', { model: 'openai/text-embedding-3-small', input: 'x'.repeat(20_000) }],
  ['Anthropic', '/v1/messages', { model: 'anthropic/claude-opus-5', messages: [message], max_tokens: 5000 }],
  ['Ollama', '/ollama/api/chat', { model: 'ollama/llama3.2', messages: [message], stream: false }],
  ['the product', '/api/v1/chat', { message: 'Hello', model: 'openai/gpt-5.5' }],
  ['the product, streamed', '/api/v1/chat/stream', { message: 'Hello', model: 'openai/gpt-5.5' }],
];

/** Reads the code or type from an error body. */
function codeIn(surface: string, body: unknown): unknown {
  if (surface === 'Ollama') return typeof at(body, 'error') === 'string' ? 'rate_limit_exceeded' : body;
  if (surface === 'Anthropic')
    return at(body, 'error', 'type') === 'rate_limit_error' ? 'rate_limit_exceeded' : body;
  return at(body, 'error', 'code');
}

describe('the requests of a user', () => {
  it('are accepted up to RATE_LIMIT_RPM if 50 arrive at once', async () => {
    const { url } = await start({ RATE_LIMIT_RPM: '10' });
    const user = await registerUser(url);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => user.request('GET', '/api/v1/users/me')),
    );
    expect(countByStatus(answers)).toEqual({ 200: 10, 429: 40 });
    const refused = answers.find(({ status }) => status === 429);
    expect(at(refused?.body, 'error', 'code')).toBe('rate_limit_exceeded');
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused?.headers.get('x-ratelimit-limit-requests')).toBeNull();
    // Other users are not affected.
    expect((await (await registerUser(url)).request('GET', '/api/v1/users/me')).status).toBe(200);
  });

  it('that call a model have their own limit, and those it refuses do not count towards the other limit', async () => {
    const { url } = await start({ RATE_LIMIT_RPM: '10', RATE_LIMIT_MODEL_RPM: '2' });
    const user = await registerUser(url);
    const asked = await Promise.all(Array.from({ length: 8 }, () => complete(user)));
    expect(countByStatus(asked)).toEqual({ 200: 2, 429: 6 });
    const others = await Promise.all(
      Array.from({ length: 10 }, () => user.request('GET', '/api/v1/users/me')),
    );
    expect(countByStatus(others)).toEqual({ 200: 8, 429: 2 });
    expect(provider.requests.filter(({ route }) => route === 'chat')).toHaveLength(2);
  });

  it.each(SURFACES)(
    'have rate limit headers on %s, and are refused in its API format',
    async (surface, path, body) => {
      const { url } = await start({ RATE_LIMIT_MODEL_RPM: '2', RATE_LIMIT_TPM: '100000' });
      const user = await registerUser(url);
      const first = await user.request('POST', path, body);
      expect(first.status).toBe(200);
      expect(first.headers.get('x-ratelimit-limit-requests')).toBe('2');
      expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
      expect(first.headers.get('x-ratelimit-reset-requests')).toMatch(/^(30s|2\d\.\d+s)$/);
      expect(first.headers.get('x-ratelimit-limit-tokens')).toBe('100000');
      const left = Number(first.headers.get('x-ratelimit-remaining-tokens'));
      expect(left).toBeGreaterThan(90_000);
      expect(left).toBeLessThan(100_000);
      expect(first.headers.get('x-ratelimit-reset-tokens')).toMatch(/^\d+(\.\d+)?m?s$/);
      await user.request('POST', path, body);
      const refused = await user.request('POST', path, body);
      expect(refused.status).toBe(429);
      expect(codeIn(surface, refused.body)).toBe('rate_limit_exceeded');
      expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
      expect(refused.headers.get('x-ratelimit-limit-tokens')).toBe('100000');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.headers.get('x-should-retry')).toBeNull();
    },
  );
});

describe('requests without valid credentials', () => {
  it('are limited by client address, whatever is wrong with them, unlike probes and users', async () => {
    const { url } = await start({ RATE_LIMIT_IP_RPM: '4' });
    const user = await registerUser(url);
    const wrong = userWith(url, 'wrong');
    expect((await wrong.request('GET', '/api/v1/users/me')).status).toBe(401);
    expect((await send(`${url}/api/v1/users/me`)).status).toBe(401);
    expect((await send(`${url}/docs-json`)).status).toBe(200);
    const refused = await wrong.request('GET', '/api/v1/users/me');
    expect(refused.status).toBe(429);
    expect((await send(`${url}/docs-json`)).status).toBe(429);
    const login = await send(`${url}/api/v1/auth/login`, {
      method: 'POST',
      body: { email: user.email, password: 'a long password' },
    });
    expect(at(login.body, 'error', 'code')).toBe('rate_limit_exceeded');
    for (const path of ['/', '/health', '/health/live', '/health/ready'])
      expect((await send(url + path)).status).toBe(200);
    expect((await user.request('GET', '/api/v1/users/me')).status).toBe(200);
  });

  /** Returns the statuses of requests with these addresses in X-Forwarded-For. */
  async function statusesFrom(url: string, forwarded: readonly string[]): Promise<number[]> {
    const statuses: number[] = [];
    for (const address of forwarded) {
      const { status } = await send(`${url}/redoc`, { headers: { 'x-forwarded-for': address } });
      statuses.push(status);
    }
    return statuses;
  }

  it('cannot forge their address if no proxy is trusted', async () => {
    const { url } = await start({ RATE_LIMIT_IP_RPM: '2' });
    expect(await statusesFrom(url, ['192.0.2.1', '192.0.2.2', '192.0.2.3'])).toEqual([200, 200, 429]);
  });

  it('have the address seen by the trusted proxy, whatever precedes it in the header', async () => {
    const { url } = await start({ RATE_LIMIT_IP_RPM: '2', TRUST_PROXY: '1' });
    const same = ['192.0.2.1, 198.51.100.7', '192.0.2.2, 198.51.100.7', '192.0.2.3, 198.51.100.7'];
    expect(await statusesFrom(url, same)).toEqual([200, 200, 429]);
    expect(await statusesFrom(url, ['192.0.2.1, 198.51.100.8'])).toEqual([200]);
  });

  it('can set an address only through a trusted proxy address', async () => {
    const { url } = await start({ RATE_LIMIT_IP_RPM: '2', TRUST_PROXY: '10.0.0.0/8' });
    expect(await statusesFrom(url, ['192.0.2.1', '192.0.2.2', '192.0.2.3'])).toEqual([200, 200, 429]);
  });
});

describe('requests whose credentials cannot be checked', () => {
  it('get 503 while the database is unavailable, however many they are, and do not count', async () => {
    const database = await createMigratedDatabase();
    const proxy = await TcpProxy.start(database.url);
    const api = await startApi({ RATE_LIMIT_IP_RPM: '2' }, { ...database, url: proxy.url });
    try {
      const user = await registerUser(api.url);
      proxy.cut();
      for (let request = 0; request < 5; request += 1)
        expect((await user.request('GET', '/api/v1/users/me')).status).toBe(503);
      proxy.restore();
      const stranger = (): Promise<ApiResponse> => send(`${api.url}/api/v1/users/me`);
      expect([(await stranger()).status, (await stranger()).status]).toEqual([401, 429]);
    } finally {
      await api.close();
      await proxy.close();
      await database.drop();
    }
  });
});

describe('running answers', () => {
  it('are limited to RATE_LIMIT_CONCURRENCY, and free their slot when they end', async () => {
    const { url } = await start({ RATE_LIMIT_CONCURRENCY: '2' });
    const user = await registerUser(url);
    const gates = [gatedAnswer(['one']), gatedAnswer(['two'])];
    provider.script(...gates);
    const arrived = [provider.nextRequest('chat'), provider.nextRequest('chat')];
    const running = [complete(user), user.request('POST', '/api/v1/chat', { message: 'Hello' })];
    await Promise.all(arrived);
    const refused = await complete(user);
    expect(refused.status).toBe(429);
    expect(at(refused.body, 'error', 'code')).toBe('rate_limit_exceeded');
    expect(refused.headers.get('retry-after')).toBe('1');
    // Embeddings do not count as answers.
    const embedded = await user.request('POST', '/v1/embeddings', {
      model: 'openai/text-embedding-3-small',
      input: 'x',
    });
    expect(embedded.status).toBe(200);
    for (const gate of gates) gate.finish();
    expect(countByStatus(await Promise.all(running))).toEqual({ 200: 2 });
    expect((await complete(user)).status).toBe(200);
  });

  it('free their slot on every API when they end', async () => {
    const { url } = await start({ RATE_LIMIT_CONCURRENCY: '1' });
    const user = await registerUser(url);
    for (const [surface, path, body] of [...SURFACES, ...SURFACES]) {
      const { status } = await user.request('POST', path, body);
      expect({ surface, status }).toEqual({ surface, status: 200 });
    }
    // Failed answers free their slot too.
    const failing = { message: 'Hello', model: 'openai/gpt-5.5' };
    provider.script({ kind: 'error', status: 400 }, { kind: 'error', status: 400 });
    expect((await complete(user, { model: 'openai/gpt-5.5' })).status).toBe(400);
    expect((await user.request('POST', '/api/v1/chat', failing)).status).toBe(400);
    expect((await complete(user)).status).toBe(200);
  });

  it('free their slot when the client disconnects', async () => {
    const { url } = await start({ RATE_LIMIT_CONCURRENCY: '1' });
    const user = await registerUser(url);
    provider.script(gatedAnswer(['one']));
    const arrived = provider.nextRequest('chat');
    const leaving = new AbortController();
    const left = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [message] }),
      signal: leaving.signal,
    }).catch(() => undefined);
    const request = await arrived;
    leaving.abort();
    await left;
    await request.closed;
    // The upstream request is closed; the server frees the slot in a later turn of its event loop.
    await expect(eventuallyCompletes(() => complete(user))).resolves.toBe(200);
  });

  it('cause a turn beyond the limit to be refused without storing anything', async () => {
    const { url } = await start({ RATE_LIMIT_CONCURRENCY: '1' });
    const user = await registerUser(url);
    const gate = gatedAnswer(['one']);
    provider.script(gate);
    const arrived = provider.nextRequest('chat');
    const running = complete(user);
    await arrived;
    const refused = await user.request('POST', '/api/v1/chat/stream', { message: 'Hello' });
    expect(refused.status).toBe(429);
    expect(listAt((await user.request('GET', '/api/v1/conversations')).body, 'data')).toEqual([]);
    gate.finish();
    await running;
  });
});

/** Repeats the request until it is not refused, for at most five seconds. */
async function eventuallyCompletes(ask: () => Promise<{ status: number }>): Promise<number> {
  const began = performance.now();
  while (performance.now() - began < 5000) {
    const { status } = await ask();
    if (status !== 429) return status;
  }
  return 429;
}

describe('the tokens of a request', () => {
  it('are reserved, and returned if they were not used', async () => {
    const { url } = await start({ RATE_LIMIT_TPM: '3000' });
    const user = await registerUser(url);
    const gate = gatedAnswer(['one']);
    provider.script(gate);
    const arrived = provider.nextRequest('chat');
    const running = complete(user, { max_tokens: 2000 });
    await arrived;
    const refused = await complete(user, { max_tokens: 2000 });
    expect(at(refused.body, 'error', 'code')).toBe('rate_limit_exceeded');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(5);
    gate.finish();
    expect((await running).status).toBe(200);
    expect((await complete(user, { max_tokens: 2000 })).status).toBe(200);
  });

  it('beyond RATE_LIMIT_TPM are refused with x-should-retry: false', async () => {
    const { url } = await start({ RATE_LIMIT_TPM: '3000' });
    const refused = await complete(await registerUser(url), { max_tokens: 3001 });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(provider.requests.filter(({ route }) => route === 'chat')).toEqual([]);
  });

  it('are not reserved for a cached answer, and neither is a concurrency slot', async () => {
    const { url } = await start({ RATE_LIMIT_TPM: '1200' });
    const user = await registerUser(url);
    const ask = () => complete(user, { cache: true, max_tokens: 1000 });
    expect((await ask()).headers.get('x-cache')).toBe('MISS');
    const gate = gatedAnswer(['one']);
    provider.script(gate);
    const arrived = provider.nextRequest('chat');
    const running = complete(user, { max_tokens: 900 });
    await arrived;
    expect((await ask()).headers.get('x-cache')).toBe('HIT');
    gate.finish();
    await running;
  });
});

describe('a quota', () => {
  /** Writes a usage record with a timestamp in the past. */
  async function use(
    { database }: TestApi,
    { token }: TestUser,
    record: { tokens: number; microUsd: number; hoursAgo: number },
  ): Promise<void> {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    await query(
      database,
      `INSERT INTO usage_records (id, call_id, attempt, user_id, provider, model, outcome, input_tokens, output_tokens,
         cost_micro_usd, estimated, created_at)
       VALUES (gen_random_uuid(), gen_random_uuid(), 1, $1, 'openai', 'gpt-5.5', 'completed', $2, 0, $3, false,
         now() - make_interval(hours => $4))`,
      [at(claims, 'sub'), record.tokens, record.microUsd, record.hoursAgo],
    );
  }

  it('of tokens per day counts the ledger and running requests', async () => {
    const api = await start({ QUOTA_TOKENS_DAY: '3000' });
    const user = await registerUser(api.url);
    await use(api, user, { tokens: 100_000, microUsd: 0, hoursAgo: 25 });
    await use(api, user, { tokens: 1500, microUsd: 0, hoursAgo: 0 });
    const gate = gatedAnswer(['one']);
    provider.script(gate);
    const arrived = provider.nextRequest('chat');
    const running = complete(user, { max_tokens: 1000 });
    await arrived;
    const refused = await complete(user, { max_tokens: 600 });
    expect(refused.status).toBe(429);
    expect(at(refused.body, 'error', 'code')).toBe('quota_exceeded');
    expect(refused.headers.get('x-should-retry')).toBe('false');
    const rest = 86_400 - (Math.floor(Date.now() / 1000) % 86_400);
    expect(Math.abs(Number(refused.headers.get('retry-after')) - rest)).toBeLessThan(5);
    gate.finish();
    expect((await running).status).toBe(200);
    expect((await complete(user, { max_tokens: 600 })).status).toBe(200);
  });

  it('of dollars per month counts the ledger, and the most expensive model of an alias', async () => {
    const api = await start({
      QUOTA_COST_MONTH_USD: '10.00',
      MODEL_ALIASES: '{"both":["openai/gpt-5-nano","openai/gpt-5.5"]}',
    });
    const user = await registerUser(api.url);
    await use(api, user, { tokens: 1, microUsd: 9_990_000, hoursAgo: 0 });
    // 1,000 tokens cost 0.0004 dollars with one model and 0.03 with the other.
    const cheap = await complete(user, { model: 'openai/gpt-5-nano', max_tokens: 1000 });
    expect(cheap.status).toBe(200);
    const refused = await complete(user, { model: 'both', max_tokens: 1000 });
    expect(at(refused.body, 'error', 'code')).toBe('quota_exceeded');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('x-should-retry')).toBe('false');
  });

  it('of dollars refuses a model without a known price, which a token quota does not', async () => {
    const body = { model: 'openai/of-tomorrow' };
    const { url } = await start({ QUOTA_COST_MONTH_USD: '10' });
    const refused = await complete(await registerUser(url), body);
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({ error: { code: 'price_unknown', param: 'model' } });
    const other = await start({ QUOTA_TOKENS_DAY: '100000' });
    expect((await complete(await registerUser(other.url), body)).status).toBe(200);
  });
});
