// Real components: the API on a socket, PostgreSQL, and the protocols of three kinds of providers. Secrets are
// planted in every input of every route of the OpenAPI document, in the settings, and in what providers say.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startApi } from '../../support/api.js';
import { send } from '../../support/client.js';
import { startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import type { Behavior } from '../../support/fake-provider/script.js';
import { assemble, goodDraft } from '../../support/fuzz/draft.js';
import { type Operation, operationsOf, undescribed } from '../../support/fuzz/operations.js';
import { type RawAnswer, type FuzzRequest, sendRaw } from '../../support/fuzz/raw-request.js';
import { seedsOf, FuzzWorld } from '../../support/fuzz/seeds.js';
import { credentialsIn, PLANTED, Planter } from '../../support/planted-secrets.js';
import { until } from '../../support/stored.js';

const planter = new Planter();

/** A secret that is long enough for every setting. */
const setting = (): string => `${planter.secret()}-0123456789-abcdefghijklm`;

const METRICS_TOKEN = setting();

// The routes must be known before the tests are defined: each gets its own test.
const provider = await startFakeProvider();
const api = await startApi({
  OPENAI_BASE_URL: provider.baseUrl,
  OPENAI_API_KEY: setting(),
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  ANTHROPIC_API_KEY: setting(),
  OLLAMA_BASE_URL: provider.origin,
  DEFAULT_MODEL: 'openai/test-model',
  LLM_MAX_RETRIES: '0',
  JWT_SECRET: setting(),
  ENCRYPTION_KEY: setting(),
  METRICS_TOKEN,
  TRUST_PROXY: '1',
  LOG_LEVEL: 'trace',
});
const { body: document } = await send(`${api.url}/docs-json`);
const described = operationsOf(document);
const operations = [...described, ...undescribed(described)];

let world: FuzzWorld;
/** Credentials that responses contained. */
const credentials = new Set<string>();
/** Statuses and bodies of the requests that were to succeed and did not, by operation. */
const failed = new Map<string, string>();

beforeAll(async () => {
  world = await FuzzWorld.create(api);
  // The password of all accounts, as well as their tokens.
  for (const credential of [world.admin.token, 'a long password']) credentials.add(credential);
});

afterAll(async () => {
  await api.close();
  await provider.close();
});

afterEach(() => {
  provider.reset();
});

/** Sends a request, waits for its log line, and collects the credentials of its response. */
async function sendLogged(request: FuzzRequest): Promise<RawAnswer> {
  const answer = await sendRaw(api.url, request);
  const id = String(answer.headers['x-request-id']);
  await until('the log line of a request', () => api.log.some((line) => line.includes(id)));
  for (const credential of credentialsIn(parsed(answer.text))) credentials.add(credential);
  return answer;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Fails with the first line that contains a planted secret, a credential or an address. */
function expectNoSecrets(lines: readonly string[]): void {
  const leaked = (line: string): boolean =>
    line.includes(PLANTED) ||
    line.includes('@example.com') ||
    [...credentials].some((credential) => line.includes(credential));
  expect(lines.filter(leaked)).toEqual([]);
}

const requestTo = (operation: Operation): Promise<FuzzRequest> =>
  assemble(operation, goodDraft(document, operation, seedsOf(operation)), world);

describe.each(operations)('$name logs nothing secret', (operation) => {
  const isModelRoute = /chat|completions|messages|embeddings|generate/.test(operation.path);

  it('when it succeeds', async () => {
    const before = api.log.length;
    const answer = await sendLogged(planter.valid(document, operation, await requestTo(operation)));
    world.heed(operation, answer.status);
    if (answer.status >= 300) failed.set(operation.name, `${answer.status} ${answer.text}`);
    expectNoSecrets(api.log.slice(before));
  });

  it('when it is refused', async () => {
    const before = api.log.length;
    for (const [what, request] of planter.refused(operation, await requestTo(operation))) {
      const { status } = await sendLogged(request);
      world.heed(operation, status);
      // Public routes take any credential, and compatible ones any field.
      expect([what, status < 500]).toEqual([what, true]);
    }
    expectNoSecrets(api.log.slice(before));
  });

  if (isModelRoute && operation.body !== undefined) {
    it('when a provider fails and quotes the request and the key', async () => {
      const before = api.log.length;
      const failures: Behavior[] = [
        ...[400, 401, 404, 429, 500].map((status) => ({
          kind: 'error' as const,
          status,
          message: `${planter.secret()} is wrong`,
        })),
        { kind: 'errorInStream', afterChunks: 1, error: { message: planter.secret() } },
        { kind: 'malformedChunk', at: 0, text: planter.secret() },
      ];
      for (const failure of failures) {
        const request = planter.valid(document, operation, await requestTo(operation));
        provider.setDefault(failure);
        await sendLogged(request);
        provider.reset();
      }
      expectNoSecrets(api.log.slice(before));
    });
  }
});

describe('after all routes', () => {
  it('almost every route has succeeded with secrets in its input, and has given its credentials', () => {
    expect(Object.fromEntries(failed)).toEqual({});
    expect(credentials.size).toBeGreaterThan(5);
  });

  it('the metrics contain nothing secret either', async () => {
    const { status, body } = await send(`${api.url}/metrics`, {
      headers: { authorization: `Bearer ${METRICS_TOKEN}` },
    });
    expect(status).toBe(200);
    expectNoSecrets([String(body)]);
  });

  it('the whole log contains nothing secret, and a line of every request', () => {
    expectNoSecrets(api.log);
    expect(api.log.length).toBeGreaterThan(operations.length * 5);
  });

  it('a secret that is logged would have been found', () => {
    expect(() => {
      expectNoSecrets([`{"msg":"${planter.secret()}"}`]);
    }).toThrow(PLANTED);
  });
});
