// Real here: the API on a socket, PostgreSQL, and the wires of three kinds of providers. Every route of the OpenAPI
// document is asked at random; what is found comes again with FUZZ_SEED, and FUZZ_RUNS says how much is asked.
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
import { seedsOf, World } from '../../support/fuzz/seeds.js';
import { faultsOf } from '../../support/fuzz/verdict.js';
import { wrongDrafts } from '../../support/fuzz/wrong.js';
import { query } from '../../support/stored.js';

/** Requests of each kind to each route. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 10);
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Longest time for one kind of requests to one route, in milliseconds; looking for the smallest failure included. */
const PATIENCE_MS = 30_000 + RUNS * 200;

// The routes are known before the tests are: each gets its own.
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

let world: World;
let sent = 0;
/** The names of operations that were asked, and of those that ever gave a good answer. */
const asked = new Set<string>();
const answered = new Set<string>();

beforeAll(async () => {
  console.info(`The seed of this run is ${SEED}: repeat it with FUZZ_SEED=${SEED} FUZZ_RUNS=${RUNS}.`);
  world = await World.create(api);
});

afterAll(async () => {
  await api.close();
  await provider.close();
});

/** Sends one request; fails with everything that is wrong with its answer. */
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
  // Of one seed alone, routes that are alike would be asked alike.
  const seed = SEED ^ createHash('sha256').update(operation.name).digest().readInt32BE();
  const sound = fc.asyncProperty(drafts, (draft) => expectSound(operation, draft));
  return fc.assert(sound, {
    seed,
    interruptAfterTimeLimit: PATIENCE_MS - 15_000,
    markInterruptAsFailure: true,
    numRuns: RUNS,
    examples: first.map((draft): [Draft] => [draft]),
  });
}

describe.each([...described, ...undescribed(described)])('$name', (operation) => {
  const seeds = seedsOf(operation);
  const good = goodDraft(document, operation, seeds);

  it(
    'gives requests that fit its schemas a good answer or a refusal that is documented',
    () => fuzz(operation, validDrafts(document, operation, seeds), [good]),
    PATIENCE_MS,
  );

  const wrong = wrongDrafts(document, operation, good);
  if (wrong.length > 0)
    it(
      'refuses requests of which one thing is wrong',
      () => fuzz(operation, fc.oneof(...wrong)),
      PATIENCE_MS,
    );

  it('survives hostile requests', () => fuzz(operation, hostileDrafts(operation, good)), PATIENCE_MS);
});

describe('afterwards', () => {
  it('every route of the document was asked and has answered', async () => {
    const { body } = await send(`${api.url}/docs-json`);
    const names = operationsOf(body).map(({ name }) => name);
    console.info(`${sent} requests went to ${names.length} routes.`);
    expect(names.filter((name) => !asked.has(name))).toEqual([]);
    // A route that only ever refused was not tried: test/support/fuzz/seeds.ts has to give it real values.
    expect(names.filter((name) => !answered.has(name))).toEqual([]);
  });

  it('routes that can be asked wrongly were', () => {
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

  it('the process is well, has logged no failure and left no answer open', async () => {
    const { status, body } = await send(`${api.url}/health/ready`);
    expect({ status, said: at(body, 'status') }).toEqual({ status: 200, said: 'ok' });
    expect(api.log.filter((line) => line.includes('unexpected failure'))).toEqual([]);
    expect(await query(api.database, `SELECT id FROM messages WHERE status = 'generating'`)).toEqual([]);
  });
});
