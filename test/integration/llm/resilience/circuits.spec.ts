// Real components: the API on a socket, PostgreSQL, and a failing model provider. The tests check whose
// requests a failure blocks.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../../support/api.js';
import { type ApiResponse, at, registerUser, type TestUser } from '../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../support/fake-provider/fake-provider.js';
import type { Behavior } from '../../../support/fake-provider/script.js';

/** Number of failures that open a circuit. */
const ENOUGH = 5;

/** Number of hosts. Each test uses its own, since circuits outlive it. */
const HOSTS = 20;

const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

let provider: FakeProvider;
let deadUrl: string;
let api: TestApi;
let user: TestUser;
let used = 0;

beforeAll(async () => {
  provider = await startFakeProvider();
  const dead = await startFakeProvider();
  deadUrl = dead.baseUrl;
  await dead.close();
  const hosts = Array.from({ length: HOSTS }, (_, index) => [
    { id: `host-${String(index)}`, base_url: provider.baseUrl, api_key: 'sk-server-key', models: ['a', 'b'] },
    { id: `dead-${String(index)}`, base_url: deadUrl, models: ['a', 'b'] },
  ]);
  const chains = Array.from({ length: HOSTS }, (_, index) => [
    `chain-${String(index)}`,
    [`host-${String(index)}/a`, `host-${String(index)}/b`],
  ]);
  api = await startApi({
    ENCRYPTION_KEY: SECRET,
    JWT_SECRET: SECRET,
    LLM_HOSTS: JSON.stringify(hosts.flat()),
    MODEL_ALIASES: JSON.stringify(Object.fromEntries(chains)),
    LLM_MAX_RETRIES: '0',
    LLM_FIRST_TOKEN_TIMEOUT_MS: '1500',
    LLM_ANSWER_TIMEOUT_MS: '1500',
  });
  user = await registerUser(api.url);
});

afterEach(() => {
  provider.reset();
});

afterAll(async () => {
  await api.close();
  await provider.close();
});

function fresh(): { readonly host: string; readonly dead: string; readonly chain: string } {
  used += 1;
  if (used > HOSTS) throw new Error('There are too few hosts.');
  return {
    host: `host-${String(used - 1)}`,
    dead: `dead-${String(used - 1)}`,
    chain: `chain-${String(used - 1)}`,
  };
}

const ask = (model: string, as = user): Promise<ApiResponse> =>
  as.request('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] });

async function askOften(model: string, times = ENOUGH, as = user): Promise<number[]> {
  const statuses: number[] = [];
  for (let count = 0; count < times; count += 1) statuses.push((await ask(model, as)).status);
  return statuses;
}

/** Checks that a model receives no request because a circuit is open. */
async function expectShut(model: string, as = user): Promise<ApiResponse> {
  const before = provider.requests.length;
  const response = await ask(model, as);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '10']);
  expect(provider.requests).toHaveLength(before);
  return response;
}

/** Checks that a model receives the request and answers. */
async function expectServed(model: string, as = user): Promise<void> {
  provider.setDefault({ kind: 'answer' });
  const before = provider.requests.length;
  expect((await ask(model, as)).status).toBe(200);
  expect(provider.requests).toHaveLength(before + 1);
}

const FAILURES: readonly [name: string, behavior: Behavior, status: number][] = [
  ['503', { kind: 'error', status: 503 }, 503],
  ['500', { kind: 'error', status: 500 }, 502],
  ['a cut', { kind: 'cut', afterChunks: 1 }, 502],
  ['silence', { kind: 'silence' }, 504],
];

describe('a model that repeatedly fails', () => {
  it.each(FAILURES)(
    'with %s gets no further requests, while other models of its host do',
    async (_name, behavior, status) => {
      const { host } = fresh();
      provider.setDefault(behavior);
      expect(await askOften(`${host}/a`)).toEqual(Array.from({ length: ENOUGH }, () => status));
      const shut = await expectShut(`${host}/a`);
      expect(at(shut.body, 'error', 'message')).toContain('This model has repeatedly failed');
      await expectServed(`${host}/b`);
    },
  );

  it('is skipped in an alias, whose next model on the same host answers', async () => {
    const { host, chain } = fresh();
    provider.setDefault({ kind: 'error', status: 503 });
    await askOften(`${host}/a`);
    provider.setDefault({ kind: 'answer' });
    const before = provider.requests.length;
    const response = await ask(chain);
    expect([response.status, at(response.body, 'model')]).toEqual([200, `${host}/b`]);
    expect(provider.requests).toHaveLength(before + 1);
  });
});

describe('an unreachable host', () => {
  it('gets no further requests for any of its models', async () => {
    const { dead } = fresh();
    expect(await askOften(`${dead}/a`)).toEqual(Array.from({ length: ENOUGH }, () => 503));
    const shut = await expectShut(`${dead}/b`);
    expect(at(shut.body, 'error', 'message')).toContain('was repeatedly unreachable');
  });
});

describe('failures with one API key', () => {
  it('of a user block that user’s key only', async () => {
    const { host } = fresh();
    const owner = await registerUser(api.url);
    const key = 'sk-own-0123456789abcdef-WXYZ';
    expect((await owner.request('PUT', `/api/v1/provider-keys/${host}`, { key })).status).toBe(200);
    provider.setDefault({ kind: 'error', status: 503 });
    await askOften(`${host}/a`, ENOUGH, owner);
    await expectShut(`${host}/a`, owner);
    await expectServed(`${host}/a`);
    expect(api.log.join('')).not.toContain(key);
  });

  it('of the server do not block a user’s own key', async () => {
    const { host } = fresh();
    const owner = await registerUser(api.url);
    await owner.request('PUT', `/api/v1/provider-keys/${host}`, { key: 'sk-own-0123456789abcdef-WXYZ' });
    provider.setDefault({ kind: 'error', status: 503 });
    await askOften(`${host}/a`);
    await expectShut(`${host}/a`);
    await expectServed(`${host}/a`, owner);
  });
});

describe('failures that are not the provider’s fault', () => {
  it.each<[string, Behavior, number]>([
    ['a refused request', { kind: 'error', status: 400 }, 400],
    ['an exceeded context length', { kind: 'error', status: 400, code: 'context_length_exceeded' }, 400],
    ['an unknown model', { kind: 'error', status: 404 }, 404],
    ['an invalid API key', { kind: 'error', status: 401 }, 502],
    ['too many requests', { kind: 'error', status: 429 }, 429],
    ['an exhausted account', { kind: 'error', status: 429, code: 'insufficient_quota' }, 502],
    ['an answer in an unknown form', { kind: 'verbatim', body: '{"output":{"text":"hi"}}' }, 502],
  ])('do not open the circuit: %s', async (_name, behavior, status) => {
    const { host } = fresh();
    provider.setDefault(behavior);
    const before = provider.requests.length;
    expect(await askOften(`${host}/a`, 3 * ENOUGH)).toEqual(Array.from({ length: 3 * ENOUGH }, () => status));
    expect(provider.requests).toHaveLength(before + 3 * ENOUGH);
    await expectServed(`${host}/a`);
  });

  it('of an exhausted account make an alias fall back to its next model after one request', async () => {
    const { host, chain } = fresh();
    provider.script({ kind: 'error', status: 429, code: 'insufficient_quota' });
    const response = await ask(chain);
    expect([response.status, at(response.body, 'model')]).toEqual([200, `${host}/b`]);
    expect(provider.requests).toHaveLength(2);
  });
});
