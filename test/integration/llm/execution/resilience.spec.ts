// Real components: the API on a socket, PostgreSQL, and two model providers with every kind of failure, over
// four APIs. Each failure needs an alias with hosts and circuits of its own; the two servers, started once,
// have enough for all.
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../../support/clock.js';
import { at, collect, listAt, send, textOf } from '../../../support/client.js';
import type { FakeProvider } from '../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import type { RecordedRequest } from '../../../support/fake-provider/recorded-request.js';
import type { Behavior } from '../../../support/fake-provider/script.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { expectSettled, query, stored, until } from '../../../support/stored.js';

/** Retries of one model. */
const MAX_RETRIES = 2;

/** Maximum wait for a first token, and for a whole answer, in milliseconds. */
const DEADLINE_MS = 700;

/** Ranges of the back-off delays before the two retries, in milliseconds. */
const BACKED_OFF = [
  [0, 250],
  [0, 500],
] as const;

/** Number of aliases. Each has its own hosts, and so its own circuits. */
const CHAINS = 180;

const QUESTION = 'one two three';
const TEXT = ['four', ' five', ' six', ' seven'];
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };

const SURFACES = ['chat', 'chat stream', 'completions', 'completions stream'] as const;
type Surface = (typeof SURFACES)[number];

const GATEWAY_SURFACES = ['completions', 'completions stream'] as const;

/** A response in a common form for all APIs. */
interface Seen {
  readonly status: number;
  readonly headers: Headers;
  /** The error code, from the body or the stream. */
  readonly code: unknown;
  readonly text: string;
  readonly model: unknown;
  readonly conversationId: string | undefined;
  /** The events of a stream. */
  readonly events: readonly unknown[];
}

/** An alias whose hosts have received no request yet. */
interface Chain {
  /** An alias of two models: one of the primary, one of the secondary. */
  readonly pair: string;
  /** The same with another model of the secondary. */
  readonly trio: string;
  readonly primary: string;
  readonly secondary: string;
}

const primary = setUpProvider();
const secondary = setUpProvider();
const clock = new ManualClock();
const api = setUpApi(() => environment(), 'block', clock);
const user = setUpUser(api);
const narrow = setUpApi(() =>
  environment({ LLM_MAX_CONCURRENCY: '2', LLM_MAX_QUEUE: '1', LLM_IDLE_TIMEOUT_MS: '30000' }),
);
const narrowUser = setUpUser(narrow);
let used = 0;

afterEach(() => {
  clock.reset();
});

function chainOf(index: number): Chain {
  return {
    pair: `pair-${index}`,
    trio: `trio-${index}`,
    primary: `primary-${index}`,
    secondary: `secondary-${index}`,
  };
}

function freshChain(): Chain {
  used += 1;
  if (used > CHAINS) throw new Error('There are too few chains.');
  return chainOf(used - 1);
}

/** Settings of an API with all the aliases. */
function environment(more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const chains = Array.from({ length: CHAINS }, (_, index) => chainOf(index));
  return {
    LLM_HOSTS: JSON.stringify(
      chains.flatMap((chain) => [
        { id: chain.primary, base_url: primary.baseUrl, api_key: chain.primary, models: ['first'] },
        {
          id: chain.secondary,
          base_url: secondary.baseUrl,
          api_key: chain.secondary,
          models: ['second', 'third'],
        },
      ]),
    ),
    MODEL_ALIASES: JSON.stringify(
      Object.fromEntries(
        chains.flatMap((chain) => {
          const pair = [`${chain.primary}/first`, `${chain.secondary}/second`];
          return [
            [chain.pair, pair],
            [chain.trio, [...pair, `${chain.secondary}/third`]],
          ];
        }),
      ),
    ),
    LLM_MAX_RETRIES: String(MAX_RETRIES),
    LLM_FIRST_TOKEN_TIMEOUT_MS: String(DEADLINE_MS),
    LLM_IDLE_TIMEOUT_MS: String(DEADLINE_MS),
    LLM_ANSWER_TIMEOUT_MS: String(DEADLINE_MS),
    ...more,
  };
}

function requestOf(surface: Surface, model: string): { path: string; body: object } {
  if (surface === 'chat' || surface === 'chat stream') {
    const path = surface === 'chat' ? '/api/v1/chat' : '/api/v1/chat/stream';
    return { path, body: { message: QUESTION, model } };
  }
  const body = {
    model,
    messages: [{ role: 'user', content: QUESTION }],
    stream: surface === 'completions stream',
  };
  return { path: '/v1/chat/completions', body };
}

async function ask(surface: Surface, model: string, as = user): Promise<Seen> {
  const { path, body } = requestOf(surface, model);
  const { status, headers, body: answer } = await as.request('POST', path, body);
  if (typeof answer === 'string' && headers.get('content-type')?.startsWith('text/event-stream')) {
    return seenInStream(surface, status, headers, answer);
  }
  const text = surface === 'chat' ? at(answer, 'message') : at(answer, 'choices', 0, 'message', 'content');
  return {
    status,
    headers,
    code: at(answer, 'error', 'code'),
    text: typeof text === 'string' ? text : '',
    model: at(answer, 'model'),
    conversationId: surface === 'chat' && status === 200 ? String(at(answer, 'conversation_id')) : undefined,
    events: [],
  };
}

function seenInStream(surface: Surface, status: number, headers: Headers, body: string): Seen {
  const events = body
    .split('\n\n')
    .map((frame) => /^data: (.*)$/m.exec(frame)?.[1])
    .filter((data) => data !== undefined)
    .map((data): unknown => (data === '[DONE]' ? data : JSON.parse(data)));
  const restart = events.findLastIndex((event) => at(event, 'restart') === true);
  const text =
    surface === 'chat stream'
      ? textOf(events.slice(restart + 1))
      : events
          .map((event) => at(event, 'choices', 0, 'delta', 'content'))
          .filter((delta) => typeof delta === 'string')
          .join('');
  return {
    status,
    headers,
    code: at(events.at(-1), 'error', 'code'),
    text,
    model: events.map((event) => at(event, 'model')).findLast((model) => model !== undefined),
    conversationId: headers.get('x-conversation-id') ?? undefined,
    events,
  };
}

type UsageRow = readonly [attempt: unknown, model: string, outcome: unknown, output: unknown];

/** Returns the usage records of the alias's hosts once there are at least that many. */
async function usageOf({ primary: first, secondary: second }: Chain, count: number, of = api) {
  return until(`${count} usage records`, async (): Promise<UsageRow[] | undefined> => {
    const rows = await query(
      of.database,
      `SELECT attempt, provider, model, outcome, output_tokens FROM usage_records
       WHERE provider = $1 OR provider = $2 ORDER BY attempt`,
      [first, second],
    );
    if (rows.length < count) return undefined;
    return rows.map((row): UsageRow => [
      row['attempt'],
      `${String(row['provider'])}/${String(row['model'])}`,
      row['outcome'],
      row['output_tokens'],
    ]);
  });
}

/** Checks that a conversation's totals are the sum of its attempts. */
async function expectSum({ conversationId }: Seen, surface: Surface, messages = 2): Promise<void> {
  if (surface !== 'chat' && surface !== 'chat stream') return;
  const id =
    conversationId ??
    String((await query(api.database, 'SELECT id FROM conversations ORDER BY id DESC LIMIT 1'))[0]?.['id']);
  const conversation = await stored(api.database, id);
  expect(conversation.messages).toHaveLength(messages);
  expectSettled(conversation);
}

/**
 * Counts the requests to the primary and secondary of an alias; each host receives its own name as API key.
 */
function requestsOf(chain: Chain): { readonly first: number; readonly second: number } {
  const count = (provider: FakeProvider, host: string): number =>
    provider.requests.filter(({ headers }) => headers.authorization === `Bearer ${host}`).length;
  return { first: count(primary, chain.primary), second: count(secondary, chain.secondary) };
}

function refusal(status: number, more: Partial<Behavior & { kind: 'error' }> = {}): Behavior {
  return { kind: 'error', status, ...more };
}

interface Row {
  /** Behaviors of the primary in order; the last one repeats. */
  readonly first: readonly [Behavior, ...Behavior[]];
  /** Makes the primary answer afterwards instead of repeating the last behavior. */
  readonly then?: 'answers';
  /** Behavior of the secondary, which answers by default. */
  readonly second?: Behavior;
  /** Number of attempts at the primary and at the secondary. */
  readonly asked: readonly [number, number];
  /** Ranges of the delays before each retry of the primary, in milliseconds; by default there is no delay. */
  readonly waits?: readonly (readonly [number, number])[];
  readonly failure?: { readonly status: number; readonly code: string };
  /** True if the deadline has to expire first. */
  readonly silent?: true;
}

const ONE_BACKED_OFF = BACKED_OFF.slice(0, 1);

const BEFORE_OUTPUT: Readonly<Record<string, Row>> = {
  'a good answer': { first: [{ kind: 'answer' }], asked: [1, 0] },
  '429 with Retry-After is retried after that delay': {
    first: [refusal(429, { retryAfter: 1 })],
    then: 'answers',
    asked: [2, 0],
    waits: [[1000, 1000]],
  },
  '429 with retry-after-ms is retried after that delay each time': {
    first: [refusal(429, { retryAfterMs: 600 })],
    asked: [3, 1],
    waits: [
      [600, 600],
      [600, 600],
    ],
  },
  '429 with Retry-After beyond the cap falls back at once': {
    first: [refusal(429, { retryAfter: 60 })],
    asked: [1, 1],
  },
  '503 with Retry-After is retried after that delay': {
    first: [refusal(503, { retryAfter: 1 })],
    then: 'answers',
    asked: [2, 0],
    waits: [[1000, 1000]],
  },
  '429 without Retry-After': { first: [refusal(429)], asked: [3, 1], waits: BACKED_OFF },
  '500 once': { first: [refusal(500)], then: 'answers', asked: [2, 0], waits: ONE_BACKED_OFF },
  '500 repeatedly': { first: [refusal(500)], asked: [3, 1], waits: BACKED_OFF },
  '503 repeatedly': { first: [refusal(503)], asked: [3, 1], waits: BACKED_OFF },
  'a reset once': { first: [{ kind: 'reset' }], then: 'answers', asked: [2, 0], waits: ONE_BACKED_OFF },
  'a reset repeatedly': { first: [{ kind: 'reset' }], asked: [3, 1], waits: BACKED_OFF },
  'an HTML page, which is not retried': {
    first: [refusal(200, { body: 'html' })],
    asked: [1, 1],
  },
  'silence, which is not retried': {
    first: [{ kind: 'silence' }],
    asked: [1, 1],
    silent: true,
  },
  'silence after the headers, which is not retried': {
    first: [{ kind: 'silence', afterHeaders: true }],
    asked: [1, 1],
    silent: true,
  },
  'an exceeded context length': {
    first: [refusal(400, { code: 'context_length_exceeded' })],
    asked: [1, 1],
  },
  'an exceeded context length on both models': {
    first: [refusal(400, { code: 'context_length_exceeded' })],
    second: refusal(400, { code: 'context_length_exceeded' }),
    asked: [1, 1],
    failure: { status: 400, code: 'context_length_exceeded' },
  },
  'a content policy refusal': {
    first: [refusal(400, { code: 'content_policy_violation' })],
    asked: [1, 0],
    failure: { status: 400, code: 'content_policy_violation' },
  },
  '400': {
    first: [refusal(400)],
    asked: [1, 0],
    failure: { status: 400, code: 'provider_rejected' },
  },
  '422': {
    first: [refusal(422)],
    asked: [1, 0],
    failure: { status: 400, code: 'provider_rejected' },
  },
  '401': { first: [refusal(401)], asked: [1, 1] },
  '403 and 401 on both models': {
    first: [refusal(403)],
    second: refusal(401),
    asked: [1, 1],
    failure: { status: 502, code: 'provider_error' },
  },
  '404': { first: [refusal(404)], asked: [1, 1] },
  '404 on both models': {
    first: [refusal(404)],
    second: refusal(404),
    asked: [1, 1],
    failure: { status: 404, code: 'model_not_found' },
  },
  '429 on both models with a long Retry-After': {
    first: [refusal(429, { retryAfter: 60 })],
    second: refusal(429, { retryAfter: 60 }),
    asked: [1, 1],
    failure: { status: 429, code: 'provider_rate_limited' },
  },
};

/** Sends a request to an alias whose providers have the faults of a row, and checks the result. */
async function checkRow(surface: Surface, row: Row): Promise<void> {
  const chain = freshChain();
  const seen = await ask(surface, chain.pair);
  expect(requestsOf(chain)).toEqual({ first: row.asked[0], second: row.asked[1] });

  const [first, second] = [`${chain.primary}/first`, `${chain.secondary}/second`];
  const attempts = [...Array<string>(row.asked[0]).fill(first), ...Array<string>(row.asked[1]).fill(second)];
  if (row.failure === undefined) {
    expect(seen).toMatchObject({ status: 200, code: undefined, text: QUESTION, model: attempts.at(-1) });
  } else {
    expect(seen.code).toBe(row.failure.code);
    if (surface !== 'chat stream') {
      expect(seen.status).toBe(row.failure.status);
      expect(seen.headers.get('retry-after')).toBe(row.failure.status === 429 ? '60' : null);
      expect(seen.headers.get('x-should-retry')).toBe(row.failure.status === 429 ? 'false' : null);
    }
  }
  const answered = row.failure === undefined ? attempts.length : 0;
  expect(await usageOf(chain, attempts.length)).toEqual(
    attempts.map((model, index) =>
      index + 1 === answered ? [index + 1, model, 'completed', 3] : [index + 1, model, 'failed', 0],
    ),
  );
  await expectSum(seen, surface);
}

function setFaults(row: Row): void {
  primary.setDefault(row.then === 'answers' ? { kind: 'answer' } : (row.first.at(-1) ?? row.first[0]));
  if (row.second !== undefined) secondary.setDefault(row.second);
}

describe('a failure before any output', () => {
  const rows = Object.entries(BEFORE_OUTPUT);
  const cases = rows
    .filter(([, row]) => row.silent === undefined)
    .flatMap(([name, row]) => SURFACES.map((surface): [string, Surface, Row] => [name, surface, row]));

  it.each(cases)('is handled without duplicate output: %s, on %s', async (_name, surface, row) => {
    primary.script(...row.first);
    setFaults(row);
    await checkRow(surface, row);
    // There is never a delay before the fallback to the next model.
    expect(clock.waits).toHaveLength(row.waits?.length ?? 0);
    for (const [index, [shortest, longest]] of (row.waits ?? []).entries()) {
      expect(clock.waits[index]).toBeGreaterThanOrEqual(shortest);
      expect(clock.waits[index]).toBeLessThanOrEqual(longest);
    }
  });

  // Run concurrently, because each of them waits for a real deadline.
  it.each(rows.filter(([, row]) => row.silent))(
    'is handled without duplicate output: %s, on every API',
    async (_name, row) => {
      setFaults(row);
      const began = performance.now();
      await Promise.all(SURFACES.map((surface) => checkRow(surface, row)));
      expect(performance.now() - began).toBeGreaterThanOrEqual(DEADLINE_MS);
      expect(clock.waits).toEqual([]);
    },
  );
});

const BROKEN: Readonly<Record<string, Behavior>> = {
  cut: { kind: 'cut', afterChunks: 2, text: TEXT },
  reset: { kind: 'reset', afterChunks: 2, text: TEXT },
  stalled: { kind: 'silence', afterChunks: 2, text: TEXT },
};

describe('an answer that breaks off midway', () => {
  const BROKEN_CASES = Object.entries(BROKEN);

  it.each(BROKEN_CASES)('(%s) without streaming falls back to another model', async (name, behavior) => {
    const chain = freshChain();
    primary.setDefault(behavior);
    secondary.setDefault({ kind: 'answer', usage: USAGE });
    const seen = await ask('completions', chain.pair);
    expect(seen).toMatchObject({ status: 200, text: QUESTION, model: `${chain.secondary}/second` });
    // Clients have seen no part of it; but a model that timed out is not retried.
    const asked = name === 'stalled' ? 1 : MAX_RETRIES + 1;
    expect(primary.requests).toHaveLength(asked);
    expect(await usageOf(chain, asked + 1)).toEqual([
      ...Array.from({ length: asked }, (_, index) => [index + 1, `${chain.primary}/first`, 'failed', 0]),
      [asked + 1, `${chain.secondary}/second`, 'completed', 17],
    ]);
  });

  it.each(BROKEN_CASES)('(%s) in a Chat Completions stream ends with an error', async (_name, behavior) => {
    const chain = freshChain();
    primary.setDefault(behavior);
    const seen = await ask('completions stream', chain.pair);
    expect(seen).toMatchObject({ status: 200, text: 'four five', model: `${chain.primary}/first` });
    expect(seen.code).toMatch(/^provider_(error|timeout)$/);
    expect(seen.events).not.toContain('[DONE]');
    expect([primary.requests.length, secondary.requests.length]).toEqual([1, 0]);
    expect(await usageOf(chain, 1)).toEqual([[1, `${chain.primary}/first`, 'failed', 2]]);
  });

  const turns = BROKEN_CASES.flatMap(([name, behavior]) =>
    (['chat', 'chat stream'] as const).map((surface): [string, Surface, Behavior] => [
      name,
      surface,
      behavior,
    ]),
  );

  it.each(turns)('(%s) in a turn on %s restarts on the next model', async (name, surface, behavior) => {
    const chain = freshChain();
    primary.setDefault(behavior);
    secondary.setDefault({ kind: 'answer', text: ['eight', ' nine'], usage: USAGE });
    const seen = await ask(surface, chain.pair);
    const model = `${chain.secondary}/second`;
    expect(seen).toMatchObject({ status: 200, code: undefined, text: 'eight nine', model });
    expect([primary.requests.length, secondary.requests.length]).toEqual([1, 1]);
    expect(await usageOf(chain, 2)).toEqual([
      [1, `${chain.primary}/first`, 'failed', 2],
      [2, model, 'completed', 17],
    ]);
    await expectSum(seen, surface);
    const [row] = await query(
      api.database,
      `SELECT content, status, model, output_tokens, conversation_id, id FROM messages WHERE model = $1`,
      [model],
    );
    expect(row).toMatchObject({ content: 'eight nine', status: 'complete', output_tokens: 17 });
    if (surface === 'chat') return;

    const ids = { conversation_id: row?.['conversation_id'], message_id: row?.['id'], finished: false };
    const restarts = seen.events.filter((event) => at(event, 'restart') !== undefined);
    expect(restarts).toEqual([{ restart: true, delta: '', ...ids, model }]);
    const before = seen.events.slice(0, seen.events.indexOf(restarts[0]));
    // A piece that has not been sent before the restart is not sent later. A restart at once may come before the first.
    expect([...(name === 'stalled' ? [] : ['']), 'four', 'four five']).toContain(textOf(before));
    expect(seen.events.at(-1)).toBe('[DONE]');
  });

  it('does not restart after a tool call', async () => {
    const chain = freshChain();
    const toolCalls = [{ name: 'look_up', arguments: ['{"a":', '1}'] }];
    primary.setDefault({ kind: 'cut', afterChunks: 2, toolCalls });
    const seen = await ask('chat stream', chain.pair);
    expect(seen.code).toBe('provider_error');
    expect(seen.events.filter((event) => at(event, 'restart') !== undefined)).toEqual([]);
    expect([primary.requests.length, secondary.requests.length]).toEqual([1, 0]);
  });

  it('does not restart twice', async () => {
    const chain = freshChain();
    primary.setDefault({ kind: 'cut', afterChunks: 2, text: TEXT });
    secondary.setDefault({ kind: 'cut', afterChunks: 1, text: ['eight', ' nine'] });
    const seen = await ask('chat stream', chain.trio);
    expect(seen).toMatchObject({ code: 'provider_error', text: 'eight' });
    expect([primary.requests.length, secondary.requests.length]).toEqual([1, 1]);
    expect(await usageOf(chain, 2)).toEqual([
      [1, `${chain.primary}/first`, 'failed', 2],
      [2, `${chain.secondary}/second`, 'failed', 1],
    ]);
    await expectSum(seen, 'chat stream');
    const { messages } = await stored(api.database, seen.conversationId ?? '');
    // Both the text and the model name are those of the second model.
    expect(messages[1]).toMatchObject({
      status: 'failed',
      content: 'eight',
      model: `${chain.secondary}/second`,
    });
  });

  it('is stored with its model name if the next model produces no output', async () => {
    const chain = freshChain();
    primary.setDefault({ kind: 'cut', afterChunks: 2, text: TEXT });
    secondary.setDefault(refusal(404));
    const seen = await ask('chat stream', chain.pair);
    const { messages } = await stored(api.database, seen.conversationId ?? '');
    expect(messages[1]).toMatchObject({
      status: 'failed',
      content: 'four five',
      model: `${chain.primary}/first`,
    });
  });

  it('falls back further after a restart if the next model fails before any output', async () => {
    const chain = freshChain();
    primary.setDefault({ kind: 'cut', afterChunks: 2, text: TEXT });
    secondary.script(refusal(404));
    const seen = await ask('chat stream', chain.trio);
    expect(seen).toMatchObject({ code: undefined, text: QUESTION, model: `${chain.secondary}/third` });
    expect(seen.events.filter((event) => at(event, 'restart') === true)).toHaveLength(1);
  });

  it('is not sent to another model if a content policy ends it', async () => {
    const chain = freshChain();
    const error = { status: 400, code: 'content_policy_violation' };
    primary.setDefault({ kind: 'errorInStream', afterChunks: 2, text: TEXT, error });
    const seen = await ask('chat stream', chain.pair);
    expect(seen).toMatchObject({ code: 'content_policy_violation', text: 'four five' });
    expect(secondary.requests).toHaveLength(0);
  });
});

describe('a primary that is down', () => {
  it('gets no requests, is probed, and gets its traffic back', async () => {
    const chain = freshChain();
    const asked = async (): Promise<unknown> => (await ask('completions', chain.pair)).model;
    primary.setDefault(refusal(503));
    for (let count = 0; count < 3; count += 1) expect(await asked()).toBe(`${chain.secondary}/second`);
    const seenWhileClosed = primary.requests.length;
    expect(seenWhileClosed).toBeLessThanOrEqual(6);
    for (let count = 0; count < 20; count += 1) expect(await asked()).toBe(`${chain.secondary}/second`);
    expect(primary.requests).toHaveLength(seenWhileClosed);

    primary.setDefault({ kind: 'answer' });
    // The clock also runs by itself, so the first advance leaves it some seconds.
    clock.advance(4_000);
    expect(await asked()).toBe(`${chain.secondary}/second`);
    clock.advance(6_000);
    expect(await asked()).toBe(`${chain.primary}/first`);
    const back = primary.requests.length;
    for (let count = 0; count < 5; count += 1) expect(await asked()).toBe(`${chain.primary}/first`);
    expect(primary.requests).toHaveLength(back + 5);
  });

  it('without a fallback is answered with 503 at once while its circuit is open', async () => {
    const chain = freshChain();
    primary.setDefault(refusal(503));
    const model = `${chain.primary}/first`;
    for (let count = 0; count < 2; count += 1)
      expect((await ask('completions', model)).code).toBe('provider_unavailable');
    const before = primary.requests.length;
    const seen = await ask('completions', model);
    expect(seen).toMatchObject({ status: 503, code: 'provider_unavailable' });
    expect(seen.headers.get('retry-after')).toBe('10');
    expect(primary.requests).toHaveLength(before);
  });
});

/** A call whose client can disconnect. */
interface Leavable {
  readonly leave: () => void;
  readonly answer: Promise<Awaited<ReturnType<typeof send>> | undefined>;
}

function begin(surface: Surface, model: string, url = narrow.url, as = narrowUser): Leavable {
  const { path, body } = requestOf(surface, model);
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${as.token}` };
  return {
    leave: () => {
      abort.abort();
    },
    answer: send(`${url}${path}`, { method: 'POST', body, headers, signal: abort.signal }).catch(
      () => undefined,
    ),
  };
}

/** Starts a call whose answer has begun, and pauses it there. */
async function hold(model: string): Promise<Leavable & { readonly finish: () => void }> {
  const gate = gatedAnswer(TEXT);
  gate.release(1);
  primary.script(gate);
  const asked = primary.nextRequest('chat');
  const call = begin('completions stream', model);
  await (
    await asked
  ).firstByteSent;
  return {
    ...call,
    finish: () => {
      gate.finish();
    },
  };
}

describe('calls beyond a provider’s concurrency limit', () => {
  it('wait, and are refused at once if the queue is full', async () => {
    const { primary: host } = freshChain();
    const model = `${host}/first`;
    const [one, two] = [await hold(model), await hold(model)];
    const third = begin('completions', model);
    await delay(100);
    // While the calls before it still hold their slots and their places in the queue.
    const refused = await ask('completions', model, narrowUser);
    expect(refused).toMatchObject({ status: 503, code: 'overloaded' });
    expect(refused.headers.get('retry-after')).toBe('1');
    // Waiting in the queue is not a provider timeout.
    await delay(DEADLINE_MS + 200);
    expect(primary.requests).toHaveLength(2);
    one.finish();
    expect((await third.answer)?.status).toBe(200);
    two.finish();
    expect([(await one.answer)?.status, (await two.answer)?.status]).toEqual([200, 200]);
  });

  it('fall back to the next model of an alias', async () => {
    const chain = freshChain();
    const held = [await hold(chain.pair), await hold(chain.pair)];
    const waiting = begin('completions', chain.pair);
    await delay(100);
    const seen = await ask('completions', chain.pair, narrowUser);
    expect(seen).toMatchObject({ status: 200, model: `${chain.secondary}/second` });
    for (const { finish } of held) finish();
    expect((await waiting.answer)?.status).toBe(200);
  });

  it('take the slot of a call whose client disconnects', async () => {
    const { primary: host } = freshChain();
    const model = `${host}/first`;
    const [one, two] = [await hold(model), await hold(model)];
    const waiting = begin('completions', model);
    await delay(100);
    one.leave();
    expect((await waiting.answer)?.status).toBe(200);
    two.finish();
    await two.answer;
  });

  it('are not blocked by a call that left the queue', async () => {
    const { primary: host } = freshChain();
    const model = `${host}/first`;
    const [one, two] = [await hold(model), await hold(model)];
    const left = begin('completions', model);
    await delay(100);
    left.leave();
    await left.answer;
    await delay(100);
    const waiting = begin('completions', model);
    await delay(100);
    one.finish();
    expect((await waiting.answer)?.status).toBe(200);
    two.finish();
    await two.answer;
  });
});

describe('a client that disconnects', () => {
  const cases: [Surface, 'before' | 'after', () => Behavior][] = GATEWAY_SURFACES.flatMap((surface) => [
    [surface, 'before', () => ({ kind: 'silence' })],
    [
      surface,
      'after',
      () => {
        const gate = gatedAnswer(TEXT);
        gate.release(2);
        return gate;
      },
    ],
  ]);

  it.each(cases)('from %s %s the first token closes the upstream socket', async (surface, when, behavior) => {
    const chain = freshChain();
    primary.script(behavior());
    const asked = primary.nextRequest('chat');
    const call = begin(surface, chain.pair, api.url, user);
    const upstream: RecordedRequest = await asked;
    await delay(200);
    call.leave();
    expect(await upstream.closed).toMatchObject({ by: 'client' });
    const usage = await usageOf(chain, 1);
    const shown = surface === 'completions stream' && when === 'after' ? 2 : 0;
    expect(usage).toEqual([[1, `${chain.primary}/first`, 'cancelled', shown]]);
    expect(secondary.requests).toHaveLength(0);
  });

  it('during the wait for a retry ends the call', async () => {
    const chain = freshChain();
    primary.setDefault(refusal(429, { retryAfter: 3 }));
    clock.holdWaits();
    const call = begin('completions', chain.pair, api.url, user);
    await until('the wait for a retry', () => clock.waits.length > 0);
    call.leave();
    // The record is written when the call has ended.
    expect(await usageOf(chain, 1)).toEqual([[1, `${chain.primary}/first`, 'failed', 0]]);
    expect(clock.waits).toEqual([3_000]);
    expect([primary.requests.length, secondary.requests.length]).toEqual([1, 0]);
  });

  it('releases its concurrency slot, even after many repetitions', async () => {
    const { primary: host } = freshChain();
    const model = `${host}/first`;
    for (let round = 0; round < 12; round += 1) {
      const surface = GATEWAY_SURFACES[round % 2] ?? 'completions';
      primary.script(round % 3 === 0 ? refusal(400) : { kind: 'silence' });
      const asked = primary.nextRequest('chat');
      const call = begin(surface, model);
      const upstream = await asked;
      if (round % 3 !== 0) call.leave();
      await Promise.all([upstream.closed, call.answer]);
    }
    const held = [await hold(model), await hold(model)];
    for (const { finish } of held) finish();
    for (const { answer } of held) expect((await answer)?.status).toBe(200);
    expect(primary.openConnections).toBeLessThan(80);
  });
});

describe('an alias', () => {
  it('is the stored model of a turn that failed on every model', async () => {
    const chain = freshChain();
    primary.setDefault(refusal(404));
    secondary.setDefault(refusal(404));
    const seen = await ask('chat stream', chain.pair);
    expect(seen.code).toBe('model_not_found');
    const messages = await user.request('GET', `/api/v1/conversations/${seen.conversationId ?? ''}/messages`);
    expect(at(listAt(messages.body, 'data')[1], 'model')).toBe(chain.pair);
  });

  it('cannot be a property name of every object, like constructor', async () => {
    expect(await ask('completions', 'constructor')).toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('streams the answer of its first model', async () => {
    const chain = freshChain();
    const events = await collect(
      user.stream('/api/v1/chat/stream', { message: QUESTION, model: chain.pair }),
    );
    expect(textOf(events)).toBe(QUESTION);
    expect(at(events.at(-2), 'model')).toBe(`${chain.primary}/first`);
  });
});
