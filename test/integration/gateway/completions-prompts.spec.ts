// Real components: the API on a socket with the default concurrency limit, PostgreSQL, and a model provider
// whose answers the test releases.
import { describe, expect, it } from '@jest/globals';
import { asking } from '../../support/api.js';
import { type ApiResponse, at, listAt, send } from '../../support/client.js';
import { gatedAnswer } from '../../support/fake-provider/gated-answer.js';
import { countByStatus } from '../../support/limits.js';
import { setUpApi, setUpProvider, setUpUser } from '../../support/set-up.js';
import { query, type Row, until } from '../../support/stored.js';

/** The maximum number of prompts in a request. */
const PROMPTS = Array.from({ length: 20 }, (_, index) => `prompt number ${String(index)}`);

/** Number of prompts of one request that are answered concurrently. */
const AT_ONCE = 4;

/** Default value of RATE_LIMIT_CONCURRENCY. */
const CONCURRENCY = '8';

const provider = setUpProvider();
const api = setUpApi(() => ({ ...asking(provider), RATE_LIMIT_CONCURRENCY: CONCURRENCY }));
const user = setUpUser(api, 'test');

describe('the prompts of one Completions request', () => {
  it('are all answered in order, four at a time, as one concurrent request of the account', async () => {
    const gates = PROMPTS.map((_, index) => gatedAnswer([`answer ${String(index)}`]));
    provider.script(...gates);

    const answering = complete(PROMPTS);
    // The request that arrived first is answered last, so that the answers arrive in another order than their
    // prompts.
    const order = [...gates.slice(1), ...gates.slice(0, 1)];
    for (const [finished, gate] of order.entries()) {
      const expected = Math.min(finished + AT_ONCE, PROMPTS.length);
      await until('the next prompts to be asked', () => asked().length >= expected);
      // No request ends until the test releases it, so a fifth concurrent one would be seen here, at the
      // latest in the next round.
      expect(asked()).toHaveLength(expected);
      gate.finish();
    }

    const { status, body } = await answering;
    expect(status).toBe(200);
    const answers = new Map(asked().map((prompt, index) => [prompt, `answer ${String(index)}`]));
    expect(listAt(body, 'choices').map((choice) => [at(choice, 'index'), at(choice, 'text')])).toEqual(
      PROMPTS.map((prompt, index) => [index, answers.get(prompt)]),
    );
    await expectUsageOf(body, { completed: PROMPTS.length });
    await expectAllPlacesFree();
  });

  it('take one concurrency slot of the account, and leave the rest to other requests', async () => {
    const gate = gatedAnswer(['done']);
    provider.setDefault(gate);
    const answering = complete(PROMPTS);
    await until('the first prompts to be asked', () => asked().length === AT_ONCE);

    const others = Array.from({ length: Number(CONCURRENCY) }, () => complete('Another request'));
    await until('the other requests to be asked', () => asked().length === AT_ONCE + Number(CONCURRENCY) - 1);
    gate.finish();

    expect(countByStatus(await Promise.all(others))).toEqual({ 200: Number(CONCURRENCY) - 1, 429: 1 });
    expect((await answering).status).toBe(200);
  });

  it('end with the first failure: the running ones are aborted, and no further one is sent', async () => {
    const failing = gatedAnswer([], { holdHeaders: true });
    provider.script(failing);
    provider.setDefault(gatedAnswer(['never'], { holdHeaders: true }));
    const answering = complete(PROMPTS);
    await until('the first prompts to be asked', () => asked().length === AT_ONCE);

    failing.reset();
    const { status, body } = await answering;

    expect([status, at(body, 'error', 'code')]).toEqual([502, 'provider_error']);
    // The upstream sockets of the other prompts are closed, and their attempts are in the ledger.
    await Promise.all(provider.requests.map(({ closed }) => closed));
    expect(asked()).toHaveLength(AT_ONCE);
    await usageWith({ cancelled: AT_ONCE - 1, failed: 1 });
    await expectAllPlacesFree();
  });

  it('end when the client disconnects', async () => {
    provider.setDefault(gatedAnswer(['never'], { holdHeaders: true }));
    const client = new AbortController();
    const answering = complete(PROMPTS, {}, client.signal).catch((error: unknown) => error);
    await until('the first prompts to be asked', () => asked().length === AT_ONCE);

    client.abort();
    await answering;

    await Promise.all(provider.requests.map(({ closed }) => closed));
    await usageWith({ cancelled: AT_ONCE });
    expect(asked()).toHaveLength(AT_ONCE);
    await expectAllPlacesFree();
  });

  it('are answered from the cache without a concurrency slot, and with one if any is not cached', async () => {
    const known = PROMPTS.slice(0, 12);
    expect((await complete(known, { cache: true })).status).toBe(200);
    expect(asked()).toHaveLength(known.length);
    const gate = gatedAnswer(['done']);
    provider.setDefault(gate);
    const others = Array.from({ length: Number(CONCURRENCY) }, () => complete('Another request'));
    await until('all places to be taken', () => asked().length === known.length + Number(CONCURRENCY));

    const hit = await complete(known, { cache: true });
    const miss = await complete(PROMPTS, { cache: true });

    expect([hit.status, hit.headers.get('x-cache')]).toEqual([200, 'HIT']);
    expect(listAt(hit.body, 'choices').map((choice) => at(choice, 'text'))).toEqual(known);
    expect([miss.status, at(miss.body, 'error', 'code')]).toEqual([429, 'rate_limit_exceeded']);
    gate.finish();
    expect(countByStatus(await Promise.all(others))).toEqual({ 200: Number(CONCURRENCY) });
    const mixed = await complete(PROMPTS, { cache: true });
    expect([mixed.status, mixed.headers.get('x-cache')]).toEqual([200, 'MISS']);
    expect(asked()).toHaveLength(PROMPTS.length + Number(CONCURRENCY));
    await expectAllPlacesFree();
  });
});

function complete(
  prompt: string | readonly string[],
  more: Readonly<Record<string, unknown>> = {},
  signal?: AbortSignal,
): Promise<ApiResponse> {
  return send(`${api.url}/v1/completions`, {
    method: 'POST',
    body: { prompt, ...more },
    headers: { authorization: `Bearer ${user.token}` },
    ...(signal && { signal }),
  });
}

/** The prompts sent to the provider, in order of arrival. */
function asked(): unknown[] {
  return provider.requests.map(({ body }) => at(body, 'messages', 0, 'content'));
}

/** Checks that the account's full number of concurrent requests is accepted. */
async function expectAllPlacesFree(): Promise<void> {
  const before = asked().length;
  const gate = gatedAnswer(['free']);
  provider.setDefault(gate);
  const answering = Array.from({ length: Number(CONCURRENCY) }, () => complete('A request of its own'));
  await until('a request in each place', () => asked().length === before + Number(CONCURRENCY));
  gate.finish();
  expect(countByStatus(await Promise.all(answering))).toEqual({ 200: Number(CONCURRENCY) });
}

/** Returns the usage records of the account once there is the given number for each outcome. */
async function usageWith(outcomes: Readonly<Record<string, number>>): Promise<Row[]> {
  const sql = `SELECT outcome, input_tokens, output_tokens
    FROM usage_records JOIN users ON users.id = user_id WHERE email = $1`;
  return until(`usage records ${JSON.stringify(outcomes)}`, async () => {
    const rows = await query(api.database, sql, [user.email]);
    const counts = Object.entries(outcomes).map(
      ([outcome, count]) => rows.filter((row) => row['outcome'] === outcome).length === count,
    );
    return (
      rows.length === Object.values(outcomes).reduce((sum, count) => sum + count) &&
      !counts.includes(false) &&
      rows
    );
  });
}

/** Checks that the usage in a response equals the account's usage records. */
async function expectUsageOf(body: unknown, outcomes: Readonly<Record<string, number>>): Promise<void> {
  const rows = await usageWith(outcomes);
  const sumOf = (column: string): number => rows.reduce((sum, row) => sum + Number(row[column]), 0);
  const [prompt_tokens, completion_tokens] = [sumOf('input_tokens'), sumOf('output_tokens')];
  expect(prompt_tokens).toBeGreaterThan(0);
  expect(at(body, 'usage')).toEqual({
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
  });
}
