// Real components: the API on a socket, PostgreSQL, and the provider's protocol. Each group of metrics needs
// traffic of its own: requests, model calls, the cache, circuits and every limit.
import { describe, expect, it } from '@jest/globals';
import { METRICS } from '../../../src/infra/metrics/metric-definitions.js';
import { makeKey } from '../../support/accounts.js';
import { asking } from '../../support/api.js';
import { at, collect, registerUser, send } from '../../support/client.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { complete } from '../../support/limits.js';
import { scrape, Scrape } from '../../support/metrics.js';
import { setUpApi, setUpApiStarter, setUpProvider, setUpUser } from '../../support/set-up.js';
import { until } from '../../support/stored.js';

const TOKEN = 'Zq7vX2rTz9mYw4BnJd1hGs8aPf6cLe3u';
const PRODUCTION = {
  NODE_ENV: 'production',
  JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
  ENCRYPTION_KEY: 'Vx3qK8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
};
const USAGE = {
  prompt_tokens: 40,
  completion_tokens: 10,
  prompt_tokens_details: { cached_tokens: 30 },
  completion_tokens_details: { reasoning_tokens: 4 },
};
const REQUESTS = 'http_server_request_duration_seconds_count';
const ATTEMPTS = 'parley_provider_attempts_total';
const MODEL = { gen_ai_provider_name: 'openai', gen_ai_request_model: 'test-model' };

describe('GET /metrics', () => {
  const api = setUpApi();
  const start = setUpApiStarter();

  it('exports every defined metric with its type and help, in the text format of Prometheus', async () => {
    const { headers, body } = await send(`${api.url}/metrics`);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const { name, type, help } of Object.values(METRICS)) {
      expect(body).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
  });

  it('exports the process, Node.js, the build, the database pool and the jobs', async () => {
    const metrics = await scrape(api.url);
    for (const name of [
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
    ]) {
      expect(metrics.find(name)).toHaveLength(1);
    }
    expect(metrics.find('parley_build_info', { node_version: process.versions.node })).toHaveLength(1);
    expect(metrics.sum('db_client_connection_max')).toBe(10);
    expect(metrics.find('db_client_connection_count')).toHaveLength(2);
    expect(metrics.sum('parley_collector_up', { collector: 'jobs' })).toBe(1);
    const queues = new Set(metrics.find('parley_jobs').map(({ labels }) => labels['queue']));
    expect([...queues].sort()).toEqual([
      'batches',
      'conversation-tasks',
      'file-texts',
      'rag-ingestions',
      'scheduled-tasks',
      'turns',
      'webhook-deliveries',
    ]);
  });

  it('requires the token if there is one, and is open without one outside of production', async () => {
    const { url } = await start({ METRICS_TOKEN: TOKEN });
    const statusWith = async (authorization?: string): Promise<number> =>
      (await send(`${url}/metrics`, { headers: authorization === undefined ? {} : { authorization } }))
        .status;
    expect(await statusWith()).toBe(401);
    expect(await statusWith(`Bearer ${TOKEN.slice(1)}`)).toBe(401);
    expect(await statusWith(`Basic ${TOKEN}`)).toBe(401);
    expect(await statusWith(`Bearer ${TOKEN}`)).toBe(200);
  });

  it('is answered with 404 and the reason in production without a token', async () => {
    const { url } = await start(PRODUCTION);
    const { status, body } = await send(`${url}/metrics`);
    expect(status).toBe(404);
    expect(at(body, 'error', 'message')).toContain('Set METRICS_TOKEN');
  });

  it('does not accept an access token instead of the metrics token, and counts neither against a limit', async () => {
    const { url } = await start({ METRICS_TOKEN: TOKEN, RATE_LIMIT_IP_RPM: '2' });
    const user = await registerUser(url);
    for (let scrapes = 0; scrapes < 5; scrapes += 1) {
      expect((await user.request('GET', '/metrics')).status).toBe(401);
      expect((await scrape(url, TOKEN)).sum('parley_limit_rejections_total')).toBe(0);
    }
  });

  it('counts each application in one process on its own', async () => {
    const [one, other] = [await start(), await start()];
    await send(`${one.url}/health/live`);
    const live = { http_route: '/health/live' };
    expect((await scrape(one.url)).sum(REQUESTS, live)).toBe(1);
    expect((await scrape(other.url)).sum(REQUESTS, live)).toBe(0);
  });
});

describe('the metrics of requests', () => {
  const api = setUpApi();
  const user = setUpUser(api);

  it('have the method, the template of the route and the status, and one value for all unmatched paths', async () => {
    await user.request('GET', '/api/v1/conversations/0199a3f0-5b7e-7cc3-9d3a-2f6f1c0e9a11?limit=1');
    await send(`${api.url}/no/such/path`);
    const metrics = await scrape(api.url);
    const count = (method: string, route: string, status: number): number =>
      metrics.sum(REQUESTS, {
        http_request_method: method,
        http_route: route,
        http_response_status_code: String(status),
      });
    expect(count('GET', '/api/v1/conversations/:id', 404)).toBe(1);
    expect(count('POST', '/api/v1/auth/register', 201)).toBe(1);
    expect(count('GET', 'unmatched', 404)).toBe(1);
    // The scrape itself is in progress.
    expect(metrics.sum('http_server_active_requests')).toBe(1);
  });
});

describe('labels', () => {
  const provider = setUpProvider();
  const api = setUpApi(() => asking(provider));
  const user = setUpUser(api);

  it('never take a value from a caller: 500 unknown models, paths and methods add a handful of series', async () => {
    provider.setDefault({ kind: 'error', status: 404, message: 'no such model' });
    const names = Array.from({ length: 500 }, (_, index) => `unknown-${String(index)}`);
    const methods = ['PROPFIND', 'MKCOL', 'LOCK', 'REPORT', 'PURGE', 'SEARCH', 'COPY'];
    const calls = [
      (model: string) => complete(user, { model }),
      (model: string) => complete(user, { model: `openai/${model}` }),
      (model: string) => user.request('POST', '/v1/embeddings', { model: `openai/${model}`, input: 'Hi' }),
      (model: string) => user.request('POST', '/api/v1/chat', { message: 'Hi', model: `openai/${model}` }),
    ];
    const requests = [
      (name: string) => send(`${api.url}/${name}`),
      (name: string) => send(`${api.url}/v1/models/${name}`),
      (name: string) => send(`${api.url}/api/v1/conversations/${name}?${name}=${name}`),
      (name: string) => send(`${api.url}/${name}`, { headers: { 'user-agent': name, 'x-request-id': name } }),
    ];
    const ask = async (some: readonly string[]): Promise<void> => {
      for (const [index, name] of some.entries()) {
        const method = methods[index % methods.length] ?? '';
        await Promise.all([
          calls[index % calls.length]?.(name),
          requests[index % requests.length]?.(name),
          send(`${api.url}/${name}`, { method }),
        ]);
      }
    };
    await ask(names.slice(0, 10));
    const before = (await scrape(api.url)).samples.length;
    await ask(names.slice(10));
    const metrics = await scrape(api.url);
    expect(metrics.text).not.toContain('unknown-');
    expect(
      metrics.sum(ATTEMPTS, { gen_ai_request_model: 'other', error_type: 'model_not_found' }),
    ).toBeGreaterThan(0);
    expect(metrics.sum(REQUESTS, { http_route: 'unmatched', http_request_method: '_OTHER' })).toBeGreaterThan(
      0,
    );
    // Series of Node.js come and go with the kinds of its resources and collections.
    expect(metrics.samples.length - before).toBeLessThan(40);
  }, 120_000);
});

describe('the metrics of model calls', () => {
  const provider = setUpProvider();
  const second = setUpProvider({ models: ['second-model'] });
  const api = setUpApi(() => ({
    ...asking(provider),
    LLM_MAX_RETRIES: '1',
    LLM_MAX_CONCURRENCY: '1',
    LLM_MAX_QUEUE: '1',
    LLM_HOSTS: JSON.stringify([{ id: 'second', base_url: second.baseUrl, models: ['second-model'] }]),
    MODEL_ALIASES: JSON.stringify({ pair: ['openai/test-model', 'second/second-model'] }),
    MODEL_PRICES: JSON.stringify({ 'openai/test-model': { input: 1, output: 10 } }),
  }));
  const user = setUpUser(api, 'test');

  /** Returns how much a metric grew. */
  async function growth(act: () => Promise<unknown>) {
    const before = await scrape(api.url);
    await act();
    const after = await scrape(api.url);
    return (name: string, labels: Readonly<Record<string, string>> = {}): number =>
      after.sum(name, labels) - before.sum(name, labels);
  }

  it('have tokens by type, cost, duration and time to first token of a streamed turn', async () => {
    provider.script({ kind: 'answer', text: 'one two', usage: USAGE });
    const grown = await growth(() => collect(user.stream('/api/v1/chat/stream', { message: 'Hi' })));
    expect(grown(ATTEMPTS, { ...MODEL, gen_ai_operation_name: 'chat', outcome: 'completed' })).toBe(1);
    expect(grown('gen_ai_client_operation_duration_seconds_count', MODEL)).toBe(1);
    expect(grown('gen_ai_server_time_to_first_token_seconds_count', MODEL)).toBe(1);
    expect(grown('gen_ai_client_token_usage_sum', { ...MODEL, gen_ai_token_type: 'input' })).toBe(40);
    expect(grown('gen_ai_client_token_usage_sum', { ...MODEL, gen_ai_token_type: 'output' })).toBe(10);
    const tokens = (type: string): number =>
      grown('parley_model_tokens_total', { ...MODEL, token_type: type });
    expect(['input', 'output', 'cache_read', 'cache_write', 'reasoning'].map(tokens)).toEqual([
      40, 10, 30, 0, 4,
    ]);
    const cost = grown('parley_model_cost_usd_total', { ...MODEL, key_owner: 'server' });
    expect(cost).toBeCloseTo((40 * 1 + 10 * 10) / 1_000_000, 9);
  });

  it('have no time to first token of an answer that is not streamed, and count embeddings as such', async () => {
    provider.script({ kind: 'answer', usage: USAGE });
    const grown = await growth(async () => {
      expect((await complete(user)).status).toBe(200);
      await user.request('POST', '/v1/embeddings', { model: 'openai/test-model', input: 'Hi' });
    });
    expect(grown('gen_ai_server_time_to_first_token_seconds_count')).toBe(0);
    expect(grown(ATTEMPTS, { ...MODEL, gen_ai_operation_name: 'chat' })).toBe(1);
    expect(grown(ATTEMPTS, { ...MODEL, gen_ai_operation_name: 'embeddings' })).toBe(1);
  });

  it('count a retry and a fallback with the failure that caused them', async () => {
    provider.script({ kind: 'error', status: 503 }, { kind: 'error', status: 503 });
    second.script({ kind: 'answer', text: 'second' });
    const grown = await growth(async () => {
      expect((await complete(user, { model: 'pair' })).status).toBe(200);
    });
    const failure = { ...MODEL, error_type: 'unavailable' };
    expect(grown(ATTEMPTS, { ...failure, outcome: 'failed' })).toBe(2);
    expect(grown('parley_provider_retries_total', failure)).toBe(1);
    expect(grown('parley_provider_fallbacks_total', failure)).toBe(1);
    const other = { gen_ai_provider_name: 'second', gen_ai_request_model: 'second-model' };
    expect(grown(ATTEMPTS, { ...other, outcome: 'completed' })).toBe(1);
  });

  it('show running and waiting calls, running generations, limits, and rejections of a full queue', async () => {
    const answer = gatedAnswer(['one']);
    provider.script(answer, { kind: 'answer' });
    const asked = provider.nextRequest();
    const streamed = collect(user.stream('/api/v1/chat/stream', { message: 'Hi' }));
    await asked;
    const waiting = complete(user);
    const ofProvider = { gen_ai_provider_name: 'openai' };
    const busy = await until('a call to wait', async () => {
      const metrics = await scrape(api.url);
      return metrics.sum('parley_provider_calls_waiting', ofProvider) === 1 && metrics;
    });
    expect(busy.sum('parley_provider_calls_running', ofProvider)).toBe(1);
    expect(busy.sum('parley_provider_concurrency_limit', ofProvider)).toBe(1);
    expect(busy.sum('parley_provider_queue_limit', ofProvider)).toBe(1);
    expect(busy.sum('parley_generations_running')).toBe(1);
    const grown = await growth(async () => {
      expect((await complete(user)).status).toBe(503);
    });
    expect(grown('parley_provider_rejections_total', { ...ofProvider, reason: 'overloaded' })).toBe(1);
    answer.finish();
    await Promise.all([streamed, waiting]);
    const idle = await scrape(api.url);
    expect(idle.sum('parley_provider_calls_running', ofProvider)).toBe(0);
    expect(idle.sum('parley_generations_running')).toBe(0);
  });

  it('count an attempt that its client left as cancelled, and its request without a status', async () => {
    const answer = gatedAnswer(['one', 'two']);
    provider.script(answer);
    const asked = provider.nextRequest();
    const leaving = new AbortController();
    const before = await scrape(api.url);
    const request = fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] }),
      signal: leaving.signal,
    }).catch(() => undefined);
    await asked;
    leaving.abort();
    await request;
    const labels = { ...MODEL, outcome: 'cancelled', error_type: 'cancelled' };
    await until(
      'the attempt to be counted',
      async () => (await scrape(api.url)).sum(ATTEMPTS, labels) === before.sum(ATTEMPTS, labels) + 1,
    );
    const requests = (await scrape(api.url)).find(REQUESTS, { http_route: '/v1/chat/completions' });
    const left = requests.filter(({ labels: { http_response_status_code: status } }) => status === undefined);
    expect(left.map(({ value }) => value)).toEqual([1]);
  });

  it('count hits and misses of the answer cache', async () => {
    provider.script({ kind: 'answer' });
    const grown = await growth(async () => {
      await complete(user, { cache: true });
      await complete(user, { cache: true });
    });
    expect(grown('parley_answer_cache_lookups_total', { result: 'miss' })).toBe(1);
    expect(grown('parley_answer_cache_lookups_total', { result: 'hit' })).toBe(1);
    expect(grown(ATTEMPTS)).toBe(1);
  });

  it('show that the circuit of a host opened', async () => {
    second.setDefault({ kind: 'reset' });
    const state = { gen_ai_provider_name: 'second', circuit_state: 'open' };
    expect((await scrape(api.url)).sum('parley_provider_circuit_state', state)).toBe(0);
    await until('the circuit to open', async () => {
      await complete(user, { model: 'second/second-model' });
      return (await scrape(api.url)).sum('parley_provider_circuit_state', state) === 1;
    });
    const metrics = await scrape(api.url);
    expect(metrics.sum('parley_provider_circuit_state', { gen_ai_provider_name: 'second' })).toBe(1);
    expect(metrics.sum('parley_provider_open_circuits', { gen_ai_provider_name: 'second' })).toBeGreaterThan(
      0,
    );
    expect(metrics.sum('parley_provider_open_circuits', { gen_ai_provider_name: 'openai' })).toBe(0);
    expect((await complete(user, { model: 'second/second-model' })).status).toBe(503);
    const refused = { gen_ai_provider_name: 'second', reason: 'circuit_open' };
    expect((await scrape(api.url)).sum('parley_provider_rejections_total', refused)).toBeGreaterThan(0);
  });
});

describe('rejections by a limit are counted by the kind of the limit', () => {
  const provider = setUpProvider();
  const start = setUpApiStarter();
  const rejections = async (url: string, limit: string): Promise<number> =>
    (await scrape(url)).sum('parley_limit_rejections_total', { limit });

  it.each([
    ['requests', { RATE_LIMIT_RPM: '2' }],
    ['model_requests', { RATE_LIMIT_MODEL_RPM: '2' }],
    ['tokens_per_minute', { RATE_LIMIT_TPM: '1' }],
    ['tokens_per_day', { QUOTA_TOKENS_DAY: '1' }],
    [
      'cost_per_month',
      {
        QUOTA_COST_MONTH_USD: '0.01',
        MODEL_PRICES: '{"openai/test-model":{"input":1000,"output":1000}}',
      },
    ],
  ])('%s', async (limit, settings) => {
    const { url } = await start({ ...asking(provider), ...settings });
    const user = await registerUser(url);
    await until('a refusal', async () => (await complete(user)).status === 429);
    expect(await rejections(url, limit)).toBe(1);
    expect((await scrape(url)).sum('parley_limit_rejections_total')).toBe(1);
  });

  it('address_requests', async () => {
    const { url } = await start({ RATE_LIMIT_IP_RPM: '2' });
    await until('a refusal', async () => (await send(`${url}/nope`)).status === 429);
    expect(await rejections(url, 'address_requests')).toBe(1);
  });

  it('password_attempts', async () => {
    const { url } = await start();
    const { email } = await registerUser(url);
    const body = { email, password: 'a wrong password' };
    const login = () => send(`${url}/api/v1/auth/login`, { method: 'POST', body });
    await until('a refusal', async () => (await login()).status === 429);
    expect(await rejections(url, 'password_attempts')).toBe(1);
  });

  it('concurrency, also for a request with an API key', async () => {
    const api = await start({ ...asking(provider), RATE_LIMIT_CONCURRENCY: '1' });
    const user = await registerUser(api.url);
    const { program } = await makeKey(api, user, { scopes: ['chat'] });
    const answer = gatedAnswer(['one']);
    provider.script(answer);
    const asked = provider.nextRequest();
    const running = complete(program);
    await asked;
    expect((await complete(program)).status).toBe(429);
    expect(await rejections(api.url, 'concurrency')).toBe(1);
    answer.finish();
    await running;
  });
});

it('a scrape is parsed with all its labels', () => {
  const { samples } = new Scrape('# TYPE a counter\na{b="c \\" d",e="f"} 2\n');
  expect(samples).toEqual([{ name: 'a', labels: { b: 'c \\" d', e: 'f' }, value: 2 }]);
});
