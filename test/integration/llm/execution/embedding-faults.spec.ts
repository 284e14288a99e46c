// Real components: the API on a socket, PostgreSQL, and two providers whose embeddings fail.
import { describe, expect, it } from '@jest/globals';
import type { Settings } from '../../../support/api.js';
import { type ApiResponse, at, registerUser, type TestUser } from '../../../support/client.js';
import type { Behavior } from '../../../support/fake-provider/script.js';
import { setUpApi, setUpProvider } from '../../../support/set-up.js';
import { query, until } from '../../../support/stored.js';

/** Retries of one model. */
const MAX_RETRIES = 1;

/** Number of aliases. Each has its own hosts, and so its own circuits. */
const CHAINS = 12;

const primary = setUpProvider();
const secondary = setUpProvider();
const api = setUpApi(settings);
let used = 0;

function settings(): Settings {
  const numbers = Array.from({ length: CHAINS }, (_, index) => index);
  return {
    LLM_HOSTS: JSON.stringify(
      numbers.flatMap((number) => [
        { id: `one-${number}`, base_url: primary.baseUrl, models: ['first'] },
        { id: `two-${number}`, base_url: secondary.baseUrl, models: ['second'] },
      ]),
    ),
    MODEL_ALIASES: JSON.stringify(
      Object.fromEntries(
        numbers.map((number) => [`vectors-${number}`, [`one-${number}/first`, `two-${number}/second`]]),
      ),
    ),
    LLM_MAX_RETRIES: String(MAX_RETRIES),
    LLM_MAX_CONCURRENCY: '1',
    LLM_MAX_QUEUE: '1',
    LLM_ANSWER_TIMEOUT_MS: '700',
  };
}

function freshChain(): number {
  used += 1;
  if (used > CHAINS) throw new Error('There are too few chains.');
  return used - 1;
}

function embed(user: TestUser, model: string): Promise<ApiResponse> {
  return user.request('POST', '/v1/embeddings', { model, input: ['one two', 'three'] });
}

/** Returns the usage records of an account once there are at least that many. */
async function usageOf({ email }: TestUser, count: number): Promise<unknown[]> {
  return until(`${count} usage records`, async () => {
    const rows = await query(
      api.database,
      `SELECT attempt, provider || '/' || model AS model, outcome, input_tokens
       FROM usage_records JOIN users ON users.id = user_id WHERE email = $1 ORDER BY attempt`,
      [email],
    );
    return rows.length >= count && rows.map((row) => Object.values(row));
  });
}

interface Row {
  readonly first: readonly Behavior[];
  /** Requests that the primary and the secondary received. */
  readonly asked: readonly [number, number];
  readonly failure?: { readonly status: number; readonly code: string };
}

const error = (status: number, more: object = {}): Behavior => ({ kind: 'error', status, ...more });

const ROWS: Readonly<Record<string, Row>> = {
  'are retried after one 500': { first: [error(500)], asked: [2, 0] },
  'are retried after the delay of a 429': { first: [error(429, { retryAfterMs: 50 })], asked: [2, 0] },
  'fall back to the next model after repeated 503s': { first: [error(503), error(503)], asked: [2, 1] },
  'fall back to the next model at once after a 401': { first: [error(401)], asked: [1, 1] },
  'fall back to the next model at once after a timeout': { first: [{ kind: 'silence' }], asked: [1, 1] },
  'fail without a retry or fallback after a 400': {
    first: [error(400)],
    asked: [1, 0],
    failure: { status: 400, code: 'provider_rejected' },
  },
};

describe('embeddings over an alias', () => {
  it.each(Object.entries(ROWS))('%s', async (_name, { first, asked, failure }) => {
    const number = freshChain();
    const user = await registerUser(api.url);
    primary.scriptFor('embeddings', ...first);
    const answer = await embed(user, `vectors-${number}`);
    expect([primary.requests.length, secondary.requests.length]).toEqual(asked);
    const models = [
      ...Array<string>(asked[0]).fill(`one-${number}/first`),
      ...Array<string>(asked[1]).fill(`two-${number}/second`),
    ];
    if (failure === undefined) {
      expect(answer).toMatchObject({
        status: 200,
        body: { model: models.at(-1), usage: { prompt_tokens: 3 } },
      });
      expect(at(answer.body, 'data')).toHaveLength(2);
    } else {
      expect(answer).toMatchObject({ status: failure.status, body: { error: { code: failure.code } } });
    }
    const answered = failure === undefined ? models.length : 0;
    expect(await usageOf(user, models.length)).toEqual(
      models.map((model, index) =>
        index + 1 === answered ? [index + 1, model, 'completed', 3] : [index + 1, model, 'failed', 0],
      ),
    );
  });
});

describe('embeddings of one model', () => {
  it('wait for a concurrency slot, and are refused if the queue is full', async () => {
    const model = `one-${freshChain()}/first`;
    const user = await registerUser(api.url);
    primary.scriptFor('embeddings', { kind: 'answer', delayBeforeMs: 400 });
    const asked = primary.nextRequest('embeddings');
    const running = embed(user, model);
    await asked;
    const others = await Promise.all([embed(user, model), embed(user, model)]);
    expect(others.map(({ status }) => status).sort()).toEqual([200, 503]);
    const refused = others.find(({ status }) => status === 503);
    expect(at(refused?.body, 'error', 'code')).toBe('overloaded');
    expect((await running).status).toBe(200);
    expect(primary.requests).toHaveLength(2);
  });

  it('are not requested from a provider whose circuit is open', async () => {
    const model = `one-${freshChain()}/first`;
    const user = await registerUser(api.url);
    const refusals = Array.from({ length: 12 }, () => error(503));
    primary.scriptFor('embeddings', ...refusals);
    await until('an open circuit', async () => {
      const before = primary.requests.length;
      expect((await embed(user, model)).status).toBe(503);
      return primary.requests.length === before;
    });
    expect(primary.requests.length).toBeLessThan(refusals.length);
  });
});
