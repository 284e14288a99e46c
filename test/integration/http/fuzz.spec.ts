// Real components: the API on a socket, PostgreSQL, and the protocols of three kinds of providers. Every
// route of the OpenAPI document gets random requests. FUZZ_SEED reproduces a failure, and FUZZ_RUNS sets the
// number of requests.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startApi } from '../../support/api.js';
import { at, send } from '../../support/client.js';
import { startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import { assemble, type Draft, goodDraft, validDrafts } from '../../support/fuzz/draft.js';
import { hostileDrafts } from '../../support/fuzz/hostile.js';
import { type Operation, operationsOf, undescribed } from '../../support/fuzz/operations.js';
import { cut, describeRequest, sendRaw } from '../../support/fuzz/raw-request.js';
import { seedsOf, FuzzWorld } from '../../support/fuzz/seeds.js';
import { faultsOf } from '../../support/fuzz/verdict.js';
import { wrongDrafts } from '../../support/fuzz/wrong.js';
import { query } from '../../support/stored.js';

/** Number of requests of each kind to each route. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 10);
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Maximum time for the search for the smallest failure, in milliseconds. */
const SHRINK_MS = 15_000;

/**
 * Maximum time for one kind of requests to one route, including the search for the smallest failure, in
 * milliseconds.
 */
const PATIENCE_MS = SHRINK_MS + 15_000 + RUNS * 200;

// The routes must be known before the tests are defined: each gets its own test.
const provider = await startFakeProvider();
const api = await startApi({
  OPENAI_BASE_URL: provider.baseUrl,
  ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
  OLLAMA_BASE_URL: provider.origin,
  DEFAULT_MODEL: 'openai/test-model',
  LLM_MAX_RETRIES: '0',
  MAX_UPLOAD_MB: '2',
  TRUST_PROXY: '1',
});
const { body: document } = await send(`${api.url}/docs-json`);
const described = operationsOf(document);

let world: FuzzWorld;
let sent = 0;
/** The names of operations that were requested, and of those that succeeded at least once. */
const asked = new Set<string>();
const answered = new Set<string>();

beforeAll(async () => {
  console.info(`The seed of this run is ${SEED}: repeat it with FUZZ_SEED=${SEED} FUZZ_RUNS=${RUNS}.`);
  world = await FuzzWorld.create(api);
});

afterAll(async () => {
  await api.close();
  await provider.close();
});

/** Sends one request and throws an error that lists every fault of the response. */
async function expectSound(operation: Operation, draft: Draft): Promise<void> {
  const request = await assemble(operation, draft, world);
  const logged = api.log.length;
  const answer = await sendRaw(api.url, request);
  sent += 1;
  asked.add(operation.name);
  if (answer.status < 300 && draft.expected.astray === undefined) answered.add(operation.name);
  world.heed(operation, answer.status);
  const failures = api.log.slice(logged).filter((line) => line.includes('unexpected failure'));
  const faults = [...faultsOf(document, operation, draft.expected, answer), ...failures];
  if (faults.length === 0) return;
  throw new Error(
    [`${draft.label}: ${describeRequest(request)}`, `${answer.status} ${cut(answer.text)}`, ...faults].join(
      '\n',
    ),
  );
}

function fuzz(
  operation: Operation,
  drafts: fc.Arbitrary<Draft>,
  first: readonly Draft[] = [],
): Promise<void> {
  // With a common seed, similar routes would get the same requests.
  const seed = SEED ^ createHash('sha256').update(operation.name).digest().readInt32BE();
  const sound = fc.asyncProperty(drafts, (draft) => expectSound(operation, draft));
  return fc.assert(sound, {
    seed,
    interruptAfterTimeLimit: PATIENCE_MS - SHRINK_MS,
    markInterruptAsFailure: true,
    numRuns: RUNS,
    examples: first.map((draft): [Draft] => [draft]),
  });
}

describe.each([...described, ...undescribed(described)])('$name', (operation) => {
  const seeds = seedsOf(operation);
  const good = goodDraft(document, operation, seeds);

  it(
    'returns a success or a documented error for requests that match its schemas',
    () => fuzz(operation, validDrafts(document, operation, seeds), [good]),
    PATIENCE_MS,
  );

  const wrong = wrongDrafts(document, operation, good);
  if (wrong.length > 0)
    it('refuses requests with exactly one mistake', () => fuzz(operation, fc.oneof(...wrong)), PATIENCE_MS);

  it('survives hostile requests', () => fuzz(operation, hostileDrafts(operation, good)), PATIENCE_MS);
});

describe('after the fuzz tests', () => {
  it('every route of the document was requested and succeeded at least once', async () => {
    const { body } = await send(`${api.url}/docs-json`);
    const names = operationsOf(body).map(({ name }) => name);
    console.info(`${sent} requests went to ${names.length} routes.`);
    expect(names.filter((name) => !asked.has(name))).toEqual([]);
    // A route that only refused requests was not tested: add real values for it to
    // test/support/fuzz/seeds.ts.
    expect(names.filter((name) => !answered.has(name))).toEqual([]);
  });

  it('only routes without any input lack tests with a mistake', () => {
    const harmless = described.filter(
      (operation) => wrongDrafts(document, operation, goodDraft(document, operation, {})).length === 0,
    );
    expect(harmless.map(({ name }) => name)).toEqual([
      'get /',
      'get /health',
      'get /health/live',
      'get /health/ready',
    ]);
  });

  it('the process is ready, has logged no unexpected failure and has no unfinished answer', async () => {
    const { status, body } = await send(`${api.url}/health/ready`);
    expect({ status, said: at(body, 'status') }).toEqual({ status: 200, said: 'ok' });
    expect(api.log.filter((line) => line.includes('unexpected failure'))).toEqual([]);
    expect(await query(api.database, `SELECT id FROM messages WHERE status = 'generating'`)).toEqual([]);
  });
});
