// Real components: the API on a socket, PostgreSQL, and a provider with every kind of failure in each of its
// protocols. One table specifies the response to the client and the requests to the provider for any protocol
// in between. Turns are tested in faults.spec.ts, aliases in resilience.spec.ts. The readers of the three API
// formats are beside the table, because each of its rows applies to all of them.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { at } from './client.js';
import { ManualClock } from './clock.js';
import { gatedAnswer } from './fake-provider/gated-answer.js';
import type { Behavior } from './fake-provider/script.js';
import { setUpApi, setUpProvider, setUpUser } from './set-up.js';

/** Number of retries. */
const MAX_RETRIES = 1;
const TWICE = MAX_RETRIES + 1;

/** Maximum wait for a first token and between two tokens, and below for a whole answer, in milliseconds. */
const SILENCE_MS = 250;
const ANSWER_MS = 600;

/** Maximum back-off delay before the one retry, in milliseconds. */
const BACKOFF_MS = 250;

/** Time after which a circuit breaker forgets an attempt, in milliseconds. */
const CIRCUIT_MEMORY_MS = 20_000;

const QUESTION = 'one two three';
const TEXT = ['four', ' five', ' six', ' seven'];
const TEXT_BEFORE_RESET = TEXT.slice(0, 2);
const WHOLE_TEXT = TEXT.join('');

type Protocol = 'openai' | 'anthropic' | 'ollama';
type Mode = 'stream' | 'whole';

/** A response in a common form for all APIs. */
interface Seen {
  readonly status: number;
  readonly headers: Headers;
  /** True if the response reports a failure; the code is set if the API has codes. */
  readonly failed: boolean;
  readonly code: unknown;
  readonly text: string;
  /** True if the answer is marked as complete. */
  readonly complete: boolean;
}

/** A route through which models are called. To test another route, add an entry here. */
export interface FaultSurface {
  readonly path: string;
  /** The protocols of the providers that the route supports. */
  readonly protocols: readonly Protocol[];
  readonly hasCodes: boolean;
  /** True if the provider gets a non-streaming request for a non-streaming client; otherwise it streams. */
  readonly asksWhole: (protocol: Protocol) => boolean;
  readonly body: (model: string, mode: Mode) => object;
  /** Parses a stream with status 200; fails if it is not in the route's format. */
  readonly readStream: (body: string) => Omit<Seen, 'status' | 'headers'>;
  readonly readWhole: (body: unknown) => Omit<Seen, 'status' | 'headers'>;
}

const messages = [{ role: 'user', content: QUESTION }];
const textOf = (parts: readonly unknown[]): string =>
  parts.filter((part) => typeof part === 'string').join('');

export const COMPLETIONS: FaultSurface = {
  path: '/v1/chat/completions',
  protocols: ['openai', 'anthropic', 'ollama'],
  hasCodes: true,
  asksWhole: (protocol) => protocol === 'openai',
  body: (model, mode) => ({ model, messages, stream: mode === 'stream' }),
  readStream: (body) => {
    expect(body).toMatch(/\n\n$/);
    const frames = body.split('\n\n').slice(0, -1);
    for (const frame of frames) expect(frame).toMatch(/^data: [^\n\r]+$/);
    const done = frames.at(-1) === 'data: [DONE]';
    const events = (done ? frames.slice(0, -1) : frames).map((frame): unknown =>
      JSON.parse(frame.slice('data: '.length)),
    );
    const error = at(events.at(-1), 'error');
    if (error !== undefined) {
      expect(events.at(-1)).toEqual({
        error: expect.objectContaining({ message: expect.stringMatching(/\w/), type: expect.any(String) }),
      });
      expect(events.filter((event) => at(event, 'choices', 0, 'finish_reason'))).toEqual([]);
    }
    return {
      failed: error !== undefined,
      code: at(error, 'code'),
      text: textOf(events.map((event) => at(event, 'choices', 0, 'delta', 'content'))),
      complete: done && events.some((event) => at(event, 'choices', 0, 'finish_reason')),
    };
  },
  readWhole: (body) => ({
    failed: at(body, 'error') !== undefined,
    code: at(body, 'error', 'code'),
    text: textOf([at(body, 'choices', 0, 'message', 'content')]),
    complete: at(body, 'choices', 0, 'finish_reason') === 'stop',
  }),
};

export const OLLAMA_CHAT: FaultSurface = {
  path: '/ollama/api/chat',
  protocols: ['ollama'],
  hasCodes: false,
  asksWhole: () => true,
  body: (model, mode) => ({ model, messages, ...(mode === 'whole' && { stream: false }) }),
  readStream: (body) => {
    expect(body).toMatch(/\n$/);
    const lines = body.split('\n').map(parsed);
    const failure = lines.find((line) => at(line, 'error') !== undefined);
    if (failure !== undefined) expect(lines.slice(lines.indexOf(failure) + 1)).toEqual(['']);
    return {
      failed: failure !== undefined,
      code: undefined,
      text: textOf(lines.map((line) => at(line, 'message', 'content'))),
      complete: lines.some((line) => at(line, 'done') === true),
    };
  },
  readWhole: (body) => ({
    failed: typeof at(body, 'error') === 'string',
    code: undefined,
    text: textOf([at(body, 'message', 'content')]),
    complete: at(body, 'done') === true,
  }),
};

export const MESSAGES: FaultSurface = {
  path: '/v1/messages',
  protocols: ['openai', 'anthropic', 'ollama'],
  hasCodes: false,
  asksWhole: (protocol) => protocol === 'openai' || protocol === 'anthropic',
  body: (model, mode) => ({ model, messages, max_tokens: 100, stream: mode === 'stream' }),
  readStream: (body) => {
    expect(body).toMatch(/\n\n$/);
    const frames = body.split('\n\n').slice(0, -1);
    const events = frames.map((frame) => {
      const [, name, data = ''] = /^event: (\w+)\ndata: ([^\n\r]+)$/.exec(frame) ?? [];
      const event = parsed(data);
      expect(at(event, 'type')).toBe(name);
      return event;
    });
    const failure = events.find((event) => at(event, 'type') === 'error');
    if (failure !== undefined) {
      expect(events.at(-1)).toBe(failure);
      expect(failure).toMatchObject({ error: { type: expect.any(String), message: expect.any(String) } });
    }
    const stops = events.filter((event) => at(event, 'type') === 'message_stop');
    const reasons = events.filter((event) => typeof at(event, 'delta', 'stop_reason') === 'string');
    return {
      failed: failure !== undefined,
      code: undefined,
      text: textOf(events.map((event) => at(event, 'delta', 'text'))),
      complete: stops.length === 1 && reasons.length === 1,
    };
  },
  readWhole: (body) => ({
    failed: at(body, 'type') === 'error',
    code: undefined,
    text: textOf([at(body, 'content', 0, 'text')]),
    complete: at(body, 'stop_reason') === 'end_turn',
  }),
};

/** The expected outcome of a fault. */
interface Outcome {
  /** Status of the response; 200 if a failure is reported in the stream. */
  readonly status: number;
  /** Undefined if there is an answer in the end. */
  readonly code?: string;
  readonly text?: string;
  /** Number of requests to the provider. */
  readonly asked: number;
  /** Range of the delay before the second request, in milliseconds; by default there is no delay. */
  readonly wait?: readonly [number, number];
  readonly retryAfter?: string;
  readonly shouldRetry?: string;
  /** The side that ended the provider's last response; by default not checked. */
  readonly closedBy?: 'client' | 'server';
}

interface Fault {
  readonly behavior: Behavior;
  /** True if the fault occurs once and the retry succeeds. */
  readonly once?: boolean;
  /** The protocols in which the fault can occur; all by default. */
  readonly protocols?: readonly Protocol[];
  readonly stream: Outcome;
  /**
   * Outcome without streaming; by default the same. `wholeStreamed` applies if the provider streams
   * nevertheless.
   */
  readonly whole?: Outcome;
  readonly wholeStreamed?: Outcome;
}

const refusal = (status: number, more: object = {}): Behavior => ({ kind: 'error', status, ...more });

/** Outcomes of a row that fails before any output, and so does not depend on streaming. */
const fails = (asked: number, status: number, code: string, more: Partial<Outcome> = {}) => ({
  stream: { asked, status, code, ...more },
});
const answers = (asked: number, more: Partial<Outcome> = {}) => ({
  stream: { asked, status: 200, text: WHOLE_TEXT, ...more },
});

const RETRIED = { wait: [0, BACKOFF_MS] } as const;
const UNAVAILABLE = { ...RETRIED, retryAfter: '5' } as const;
const DO_NOT_RETRY = { shouldRetry: 'false' } as const;

/**
 * Outcomes of an answer that breaks off after two words: reported in a stream, and retried without streaming,
 * because no client has seen any part of it.
 */
const breaksOff = (code: string, more: Partial<Outcome> = {}) => ({
  stream: { asked: 1, status: 200, code, text: 'four five', ...more },
  whole: { asked: TWICE, status: 502, code: 'provider_error', ...RETRIED },
});

const FAULTS: Readonly<Record<string, Fault>> = {
  'a good answer': { behavior: { kind: 'answer', text: TEXT }, ...answers(1, { closedBy: 'server' }) },
  'every permitted variation of the stream format': {
    behavior: { kind: 'commentsAndCrLf', text: TEXT },
    ...answers(1),
  },
  'no end marker': { behavior: { kind: 'missingDone', text: TEXT }, ...answers(1) },
  'an empty answer': { behavior: { kind: 'emptyAnswer' }, ...answers(1, { text: '' }) },
  'a slow drip': { behavior: { kind: 'drip', chunkMs: 45, text: TEXT }, ...answers(1) },

  '400': { behavior: refusal(400), ...fails(1, 400, 'provider_rejected') },
  '401': { behavior: refusal(401), ...fails(1, 502, 'provider_error') },
  '403': { behavior: refusal(403), ...fails(1, 502, 'provider_error') },
  '404': { behavior: refusal(404), ...fails(1, 404, 'model_not_found') },
  '408': { behavior: refusal(408), ...fails(TWICE, 504, 'provider_timeout', RETRIED) },
  '408 once': { behavior: refusal(408), once: true, ...answers(TWICE, RETRIED) },
  '409': { behavior: refusal(409), ...fails(TWICE, 503, 'provider_unavailable', UNAVAILABLE) },
  '409 once': { behavior: refusal(409), once: true, ...answers(TWICE, RETRIED) },
  '413': { behavior: refusal(413), ...fails(1, 400, 'provider_rejected') },
  '422': { behavior: refusal(422), ...fails(1, 400, 'provider_rejected') },
  'an exceeded context length': {
    behavior: refusal(400, { code: 'context_length_exceeded' }),
    ...fails(1, 400, 'context_length_exceeded'),
  },
  'a content policy refusal': {
    behavior: refusal(400, { code: 'content_policy_violation' }),
    protocols: ['openai', 'anthropic'],
    ...fails(1, 400, 'content_policy_violation'),
  },
  'an exhausted account': {
    behavior: refusal(429, { code: 'insufficient_quota' }),
    protocols: ['openai'],
    ...fails(1, 502, 'provider_error', DO_NOT_RETRY),
  },
  '402': { behavior: refusal(402), ...fails(1, 502, 'provider_error', DO_NOT_RETRY) },
  '429': {
    behavior: refusal(429),
    ...fails(TWICE, 429, 'provider_rate_limited', { ...RETRIED, ...DO_NOT_RETRY }),
  },
  '429 with Retry-After, once': {
    behavior: refusal(429, { retryAfter: 1 }),
    once: true,
    ...answers(TWICE, { wait: [1000, 1000] }),
  },
  '429 with retry-after-ms': {
    behavior: refusal(429, { retryAfterMs: 400 }),
    ...fails(TWICE, 429, 'provider_rate_limited', {
      wait: [400, 400],
      retryAfter: '1',
      ...DO_NOT_RETRY,
    }),
  },
  '429 with Retry-After beyond the cap': {
    behavior: refusal(429, { retryAfter: 60 }),
    ...fails(1, 429, 'provider_rate_limited', { retryAfter: '60', ...DO_NOT_RETRY }),
  },
  '500': { behavior: refusal(500), ...fails(TWICE, 502, 'provider_error', RETRIED) },
  '500 once': { behavior: refusal(500), once: true, ...answers(TWICE, RETRIED) },
  '502 with an HTML page of a proxy': {
    behavior: refusal(502, { body: 'html' }),
    ...fails(TWICE, 502, 'provider_error', RETRIED),
  },
  '503': { behavior: refusal(503), ...fails(TWICE, 503, 'provider_unavailable', UNAVAILABLE) },
  '503 with Retry-After, once': {
    behavior: refusal(503, { retryAfterMs: 400 }),
    once: true,
    ...answers(TWICE, { wait: [400, 400] }),
  },
  '503 with Retry-After beyond the cap': {
    behavior: refusal(503, { retryAfter: 30 }),
    ...fails(1, 503, 'provider_unavailable', { retryAfter: '30' }),
  },
  '503 without a body': {
    behavior: refusal(503, { body: 'empty' }),
    ...fails(TWICE, 503, 'provider_unavailable', UNAVAILABLE),
  },
  '504': { behavior: refusal(504), ...fails(TWICE, 504, 'provider_timeout', RETRIED) },
  '529': { behavior: refusal(529), ...fails(TWICE, 503, 'provider_unavailable', UNAVAILABLE) },

  'an HTML page instead of an answer, without a retry': {
    behavior: refusal(200, { body: 'html' }),
    ...fails(1, 502, 'provider_error'),
  },
  'an empty body with a good status': {
    behavior: refusal(200, { body: 'empty' }),
    ...fails(TWICE, 502, 'provider_error', RETRIED),
  },
  'a reset before a byte': {
    behavior: { kind: 'reset' },
    ...fails(TWICE, 503, 'provider_unavailable', UNAVAILABLE),
  },
  'a reset before a byte, once': { behavior: { kind: 'reset' }, once: true, ...answers(TWICE, RETRIED) },
  'silence before the headers': {
    behavior: { kind: 'silence' },
    ...fails(1, 504, 'provider_timeout', { closedBy: 'client' }),
  },
  'silence after the headers': {
    behavior: { kind: 'silence', afterHeaders: true },
    ...fails(1, 504, 'provider_timeout', { closedBy: 'client' }),
  },
  'silence with keep-alive pings': {
    behavior: { kind: 'silence', afterHeaders: true, pingEveryMs: 60 },
    ...fails(1, 504, 'provider_timeout', { closedBy: 'client' }),
  },
  'an error before the first token': {
    behavior: { kind: 'errorInStream', afterChunks: 0, text: TEXT, error: { message: 'Broken.' } },
    ...fails(TWICE, 502, 'provider_error', RETRIED),
  },
  'an overload before the first token, once': {
    behavior: { kind: 'errorInStream', afterChunks: 0, text: TEXT, error: { code: 'overloaded' } },
    once: true,
    ...answers(TWICE, RETRIED),
  },

  'a cut in the middle': {
    behavior: { kind: 'cut', afterChunks: 2, text: TEXT },
    ...breaksOff('provider_error', { closedBy: 'server' }),
  },
  'a cut before the end': {
    behavior: { kind: 'cut', afterChunks: 4, text: TEXT },
    ...breaksOff('provider_error', { text: WHOLE_TEXT }),
  },
  'a reset in the middle': {
    behavior: { kind: 'reset', afterChunks: 2, text: TEXT },
    ...breaksOff('provider_error'),
  },
  'a stall in the middle': {
    behavior: { kind: 'silence', afterChunks: 2, text: TEXT },
    ...breaksOff('provider_timeout', { closedBy: 'client' }),
    whole: { asked: 1, status: 504, code: 'provider_timeout', closedBy: 'client' },
  },
  'an error in the middle': {
    behavior: { kind: 'errorInStream', afterChunks: 2, text: TEXT, error: { message: 'Broken.' } },
    ...breaksOff('provider_error', { closedBy: 'server' }),
  },
  'an overload in the middle': {
    behavior: { kind: 'errorInStream', afterChunks: 2, text: TEXT, error: { code: 'overloaded' } },
    protocols: ['anthropic'],
    ...breaksOff('provider_unavailable'),
    whole: { asked: TWICE, status: 503, code: 'provider_unavailable', ...UNAVAILABLE },
  },
  'a single malformed frame': {
    behavior: { kind: 'malformedChunk', at: 2, text: TEXT },
    ...answers(1),
    whole: { asked: TWICE, status: 502, code: 'provider_error', ...RETRIED },
    wholeStreamed: { asked: 1, status: 200, text: WHOLE_TEXT },
  },
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function outcomeOf({ stream, whole = stream, wholeStreamed = whole }: Fault, mode: Mode, asksWhole: boolean) {
  if (mode === 'stream') return stream;
  return asksWhole ? whole : wholeStreamed;
}

/**
 * Defines a test for every fault, protocol and mode of one route. Each route has its own spec, so that the
 * workers can share the rows.
 */
export function testFaultsOver(surface: FaultSurface): void {
  const provider = setUpProvider();
  const clock = new ManualClock();
  const settings = () => ({
    OPENAI_BASE_URL: provider.baseUrl,
    ANTHROPIC_BASE_URL: provider.anthropicBaseUrl,
    OLLAMA_BASE_URL: provider.origin,
    LLM_MAX_RETRIES: String(MAX_RETRIES),
    LLM_FIRST_TOKEN_TIMEOUT_MS: String(SILENCE_MS),
    LLM_IDLE_TIMEOUT_MS: String(SILENCE_MS),
    LLM_ANSWER_TIMEOUT_MS: String(ANSWER_MS),
  });
  const api = setUpApi(settings, 'block', clock);
  const user = setUpUser(api);

  // A circuit opens if half of the attempts fail, and each protocol has one provider for all rows.
  beforeEach(() => {
    clock.advance(CIRCUIT_MEMORY_MS);
  });

  afterEach(() => {
    clock.reset();
  });

  async function ask(protocol: Protocol, mode: Mode, onBody?: (soFar: string) => void): Promise<Seen> {
    const response = await fetch(api.url + surface.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${user.token}` },
      body: JSON.stringify(surface.body(`${protocol}/test-model`, mode)),
    });
    let body = '';
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      body += piece;
      onBody?.(body);
    }
    const { status, headers } = response;
    const streamed = !headers.get('content-type')?.startsWith('application/json');
    expect(streamed).toBe(mode === 'stream' && status === 200);
    return { status, headers, ...(streamed ? surface.readStream(body) : surface.readWhole(parsed(body))) };
  }

  function expectOutcome(seen: Seen, outcome: Outcome): void {
    const failed = outcome.code !== undefined;
    expect(seen).toMatchObject({
      status: outcome.status,
      failed,
      code: surface.hasCodes ? outcome.code : undefined,
      text: outcome.text ?? '',
      complete: !failed,
    });
    const [retryAfter, shouldRetry] = ['retry-after', 'x-should-retry'].map((name) => seen.headers.get(name));
    expect({ retryAfter, shouldRetry }).toEqual({
      retryAfter: outcome.retryAfter ?? null,
      shouldRetry: outcome.shouldRetry ?? null,
    });
  }

  const cases = Object.entries(FAULTS).flatMap(([name, fault]) =>
    surface.protocols
      .filter((protocol) => fault.protocols?.includes(protocol) ?? true)
      .flatMap((protocol) =>
        (['stream', 'whole'] as const).map((mode) => ({
          name,
          protocol,
          mode,
          fault,
          outcome: outcomeOf(fault, mode, surface.asksWhole(protocol)),
        })),
      ),
  );

  // Run concurrently, because each of them waits for a real deadline.
  const [silent, others] = [
    cases.filter(({ fault }) => fault.behavior.kind === 'silence'),
    cases.filter(({ fault }) => fault.behavior.kind !== 'silence'),
  ];

  it.each([...Map.groupBy(silent, ({ name }) => name)])(
    `POST ${surface.path} handles this fault in all protocols and modes: %s`,
    async (_name, rows) => {
      const [first] = rows;
      if (first !== undefined) provider.setDefault(first.fault.behavior);
      const all = await Promise.all(rows.map(({ protocol, mode }) => ask(protocol, mode)));
      for (const [index, { protocol, mode, outcome }] of rows.entries()) {
        const seen = all[index];
        if (seen === undefined) throw new Error(`There is no answer of ${protocol}, ${mode}.`);
        expectOutcome(seen, outcome);
      }
      // No request is retried, and all are aborted.
      expect(provider.requests).toHaveLength(rows.length);
      const closings = await Promise.all(provider.requests.map(({ closed }) => closed));
      expect(new Set(closings.map(({ by }) => by))).toEqual(new Set(['client']));
      expect(clock.waits).toEqual([]);
    },
  );

  it.each(others)(
    `POST ${surface.path} handles this fault ($protocol, $mode): $name`,
    async ({ protocol, mode, fault, outcome }) => {
      const { behavior } = fault;
      // A reset discards received data that was not read yet, so it must wait until the text has been
      // forwarded.
      const gate =
        mode === 'stream' && behavior.kind === 'reset' && behavior.afterChunks !== undefined
          ? gatedAnswer(TEXT)
          : undefined;
      gate?.release(TEXT_BEFORE_RESET.length);
      if (fault.once === true) {
        provider.script(behavior);
        provider.setDefault({ kind: 'answer', text: TEXT });
      } else {
        provider.setDefault(gate ?? behavior);
      }
      const seen = await ask(protocol, mode, (soFar) => {
        if (soFar.includes(TEXT_BEFORE_RESET.at(-1) ?? '')) gate?.reset();
      });
      expectOutcome(seen, outcome);

      const { requests } = provider;
      expect(requests).toHaveLength(outcome.asked);
      expect(clock.waits).toHaveLength(outcome.wait === undefined ? 0 : 1);
      const [shortest, longest] = outcome.wait ?? [0, 0];
      for (const wait of clock.waits) {
        expect(wait).toBeGreaterThanOrEqual(shortest);
        expect(wait).toBeLessThanOrEqual(longest);
      }
      // No response of the provider stays open, whichever side ends it.
      const closings = await Promise.all(requests.map(({ closed }) => closed));
      if (outcome.closedBy !== undefined) expect(closings.at(-1)?.by).toBe(outcome.closedBy);
    },
  );
}
