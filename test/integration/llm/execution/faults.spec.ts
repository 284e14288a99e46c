// Real components: the API on a socket, PostgreSQL, and the provider's protocol with every possible fault.
// Two tables of faults are its core: each row is what the provider does and the failure or answer that a
// caller sees.
import { describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../../support/api.js';
import { at, listAt, registerUser, send, type ApiResponse, type TestUser } from '../../../support/client.js';
import { startFakeProvider } from '../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import type { Behavior } from '../../../support/fake-provider/script.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { expectSettled, query, stored } from '../../../support/stored.js';

/** Three words, which are estimated at three tokens. */
const QUESTION = 'one two three';

/** Estimated tokens of a request with the question only: its words and the message overhead. */
const COUNTED_INPUT = 7;

/** Four deltas of one word each, estimated at one token each. */
const TEXT = ['four', ' five', ' six', ' seven'];

/** Usage reported by the provider for a complete answer, with values that counting would not yield. */
const USAGE = { prompt_tokens: 41, completion_tokens: 17 };

/** Deltas whose code points are split in transit. */
const SCRIPTS = ['Grüße ', '👩‍👩‍👧‍👦', ' 漢字', '𝒳 👋🏽', ' ñ\u0301'];

/** Deadlines of the APIs, in milliseconds. Each API except the patient one has one that expires soon. */
const DEADLINES = {
  patient: {},
  hasty: { LLM_FIRST_TOKEN_TIMEOUT_MS: '700', LLM_IDLE_TIMEOUT_MS: '700' },
  brief: { LLM_TOTAL_TIMEOUT_MS: '1000' },
} as const;

type Deadline = keyof typeof DEADLINES;

/** The expected response for an incomplete answer. */
interface Failure {
  readonly status: number;
  readonly code: string;
  readonly type: string;
  readonly message: string;
  readonly param?: string;
  /** `Retry-After`, or null if the header is absent. */
  readonly retryAfter?: string | null;
  /** `X-Should-Retry`, or null if the header is absent. */
  readonly shouldRetry?: string | null;
  /** The text received before the failure. */
  readonly partial?: string;
  /** Estimated input and output tokens. Without any response nothing was used. */
  readonly counted?: readonly [number, number];
  /** The side that closes the provider's socket, or undefined if either may be first. */
  readonly closedBy?: 'client' | 'server';
}

/** The expected response for a complete answer. */
interface Success {
  readonly text: string;
  readonly warning?: string;
  readonly finishReason?: string;
  /** Estimated usage if the provider reports none. */
  readonly counted?: readonly [number, number];
}

interface Fault<Outcome> {
  readonly behavior: () => Behavior;
  readonly deadline?: Deadline;
  readonly outcome: Outcome;
}

const REFUSED_CREDENTIALS = {
  status: 502,
  code: 'provider_error',
  type: 'api_error',
  message:
    "The model provider rejected the server's credentials. The operator of this server must check the API key.",
} as const;
const BROKEN_ANSWER = {
  status: 502,
  code: 'provider_error',
  type: 'api_error',
  message: "The model provider's answer broke off or could not be parsed. Try again.",
} as const;
const UNREADABLE_PAGE = {
  ...BROKEN_ANSWER,
  message: "The provider's answer could not be parsed: it is an HTML or XML page.",
} as const;
const UNAVAILABLE = {
  status: 503,
  code: 'provider_unavailable',
  type: 'api_error',
  message: 'The model provider cannot serve this model at the moment. Try again later, or use another model.',
  retryAfter: '5',
} as const;
const UNREACHABLE = {
  ...UNAVAILABLE,
  message: 'The model provider cannot be reached. Try again later, or use another model.',
} as const;
const RATE_LIMITED = {
  status: 429,
  code: 'provider_rate_limited',
  type: 'rate_limit_error',
  message: 'The model provider is rate limiting requests. Try again later.',
  shouldRetry: 'false',
} as const;
const TIMEOUT = { status: 504, code: 'provider_timeout', type: 'api_error', closedBy: 'client' } as const;
const NO_FIRST_TOKEN = {
  ...TIMEOUT,
  message: 'The model did not start to answer in time.',
  // The provider received the request and has processed the prompt.
  counted: [COUNTED_INPUT, 0],
} as const;

function rejected(code: string, message: string): Failure {
  return { status: 400, code, type: 'invalid_request_error', message };
}

const afterTwo = { partial: 'four five', counted: [COUNTED_INPUT, 2] } as const;
/** The first frame of the stream arrived, so the request was accepted. */
const afterOpening = { counted: [COUNTED_INPUT, 0] } as const;

function refusal(status: number, more: Partial<Behavior & { kind: 'error' }> = {}): () => Behavior {
  return () => ({ kind: 'error', status, ...more });
}

const FAILURES: Readonly<Record<string, Fault<Failure>>> = {
  '401': { behavior: refusal(401), outcome: REFUSED_CREDENTIALS },
  '403': { behavior: refusal(403), outcome: REFUSED_CREDENTIALS },
  '404 for the model': {
    behavior: refusal(404),
    outcome: {
      status: 404,
      code: 'model_not_found',
      type: 'not_found_error',
      message: 'The model does not exist.',
      param: 'model',
    },
  },
  '400': { behavior: refusal(400), outcome: rejected('provider_rejected', 'The request is not valid.') },
  '400 for the length of the context': {
    behavior: refusal(400, { code: 'context_length_exceeded' }),
    outcome: rejected('context_length_exceeded', "This model's maximum context length is 8192 tokens."),
  },
  '400 for the content policy': {
    behavior: refusal(400, { code: 'content_policy_violation' }),
    outcome: rejected('content_policy_violation', 'The request was rejected by the safety system.'),
  },
  '413': { behavior: refusal(413), outcome: rejected('provider_rejected', 'The request is too large.') },
  '422': {
    behavior: refusal(422),
    outcome: rejected('provider_rejected', 'The request cannot be processed.'),
  },
  '429 without Retry-After': { behavior: refusal(429), outcome: { ...RATE_LIMITED, retryAfter: null } },
  '429 with Retry-After in seconds': {
    behavior: refusal(429, { retryAfter: 7 }),
    outcome: { ...RATE_LIMITED, retryAfter: '7' },
  },
  '429 with Retry-After as a date': {
    // Dates have no milliseconds, so at least 19 of the 20 seconds are left, minus the time that the test
    // takes.
    behavior: () => ({ kind: 'error', status: 429, retryAfter: new Date(Date.now() + 20_000) }),
    outcome: { ...RATE_LIMITED, retryAfter: '1\\d|20' },
  },
  '429 with Retry-After as a date in the past': {
    behavior: refusal(429, { retryAfter: new Date(0) }),
    outcome: { ...RATE_LIMITED, retryAfter: '1' },
  },
  '429 with retry-after-ms, which is rounded up': {
    behavior: refusal(429, { retryAfter: 90, retryAfterMs: 2001 }),
    outcome: { ...RATE_LIMITED, retryAfter: '3' },
  },
  '429 for an exhausted quota': {
    behavior: refusal(429, { code: 'insufficient_quota' }),
    outcome: {
      status: 502,
      code: 'provider_error',
      type: 'api_error',
      message:
        "The server's account with the model provider has no credit left or has reached its limit. The operator of this server must resolve this.",
      shouldRetry: 'false',
    },
  },
  '500': { behavior: refusal(500), outcome: BROKEN_ANSWER },
  '502': { behavior: refusal(502), outcome: BROKEN_ANSWER },
  '503': { behavior: refusal(503), outcome: UNAVAILABLE },
  '503 with Retry-After': {
    behavior: refusal(503, { retryAfter: 30 }),
    outcome: { ...UNAVAILABLE, retryAfter: '30' },
  },
  '504': {
    behavior: refusal(504),
    outcome: {
      status: 504,
      code: 'provider_timeout',
      type: 'api_error',
      message: 'The engine did not answer in time.',
    },
  },
  '529': { behavior: refusal(529), outcome: UNAVAILABLE },
  'an error page of a proxy': { behavior: refusal(502, { body: 'html' }), outcome: BROKEN_ANSWER },
  'an error without a body': { behavior: refusal(503, { body: 'empty' }), outcome: UNAVAILABLE },
  'a page of HTML with status 200': { behavior: refusal(200, { body: 'html' }), outcome: UNREADABLE_PAGE },
  'an empty body with status 200': { behavior: refusal(200, { body: 'empty' }), outcome: BROKEN_ANSWER },
  'a reset before a byte': { behavior: () => ({ kind: 'reset' }), outcome: UNREACHABLE },
  'a reset in mid-stream': {
    behavior: () => ({ kind: 'reset', afterChunks: 2, text: TEXT }),
    outcome: { ...BROKEN_ANSWER, ...afterTwo },
  },
  'silence before the headers': {
    behavior: () => ({ kind: 'silence' }),
    deadline: 'hasty',
    outcome: NO_FIRST_TOKEN,
  },
  'silence after the headers': {
    behavior: () => ({ kind: 'silence', afterHeaders: true }),
    deadline: 'hasty',
    outcome: NO_FIRST_TOKEN,
  },
  'silence after the headers except for pings': {
    behavior: () => ({ kind: 'silence', afterHeaders: true, pingEveryMs: 50 }),
    deadline: 'hasty',
    outcome: NO_FIRST_TOKEN,
  },
  'a stall after the opening frame': {
    behavior: () => gatedAnswer(TEXT),
    deadline: 'hasty',
    outcome: { ...NO_FIRST_TOKEN, ...afterOpening },
  },
  'a stall in mid-stream': {
    behavior: () => ({ kind: 'silence', afterChunks: 2, text: TEXT }),
    deadline: 'hasty',
    outcome: { ...TIMEOUT, message: 'The model stopped sending in the middle of its answer.', ...afterTwo },
  },
  'an answer without end': {
    behavior: () => {
      const gate = gatedAnswer(TEXT);
      gate.release(2);
      return gate;
    },
    deadline: 'brief',
    outcome: { ...TIMEOUT, message: 'The model did not finish its answer in time.', ...afterTwo },
  },
  'a cut before the first chunk': {
    behavior: () => ({ kind: 'cut', afterChunks: 0, text: TEXT }),
    outcome: { ...BROKEN_ANSWER, ...afterOpening },
  },
  'a cut without finish reason': {
    behavior: () => ({ kind: 'cut', afterChunks: 2, text: TEXT }),
    outcome: { ...BROKEN_ANSWER, ...afterTwo },
  },
  'a cut just before the finish reason': {
    behavior: () => ({ kind: 'cut', afterChunks: 4, text: TEXT }),
    outcome: { ...BROKEN_ANSWER, partial: TEXT.join(''), counted: [COUNTED_INPUT, 4] },
  },
  'an error in the stream': {
    behavior: () => ({ kind: 'errorInStream', afterChunks: 2, text: TEXT, error: { status: 500 } }),
    outcome: { ...BROKEN_ANSWER, ...afterTwo },
  },
  'an error in the stream before the first chunk': {
    behavior: () => ({ kind: 'errorInStream', afterChunks: 0, text: TEXT, error: { status: 429 } }),
    outcome: { ...RATE_LIMITED, retryAfter: null, ...afterOpening },
  },
  'the content policy in mid-stream': {
    behavior: () => ({
      kind: 'errorInStream',
      afterChunks: 2,
      text: TEXT,
      error: { status: 400, code: 'content_policy_violation' },
    }),
    outcome: {
      ...rejected('content_policy_violation', 'The request was rejected by the safety system.'),
      ...afterTwo,
    },
  },
};

const SUCCESSES: Readonly<Record<string, Fault<Success>>> = {
  'a good answer': {
    behavior: () => ({ kind: 'answer', text: TEXT, usage: USAGE }),
    outcome: { text: 'four five six seven' },
  },
  'an answer truncated by its token limit': {
    behavior: () => ({ kind: 'answer', text: TEXT, usage: USAGE, finishReason: 'length' }),
    outcome: { text: 'four five six seven', finishReason: 'length' },
  },
  'a slow drip whose total exceeds every deadline': {
    behavior: () => ({ kind: 'drip', chunkMs: 150, text: TEXT, usage: USAGE }),
    deadline: 'hasty',
    outcome: { text: 'four five six seven' },
  },
  'a drip of bytes': {
    behavior: () => ({ kind: 'drip', chunkMs: 1, unit: 'byte', text: ['four', ' five'], usage: USAGE }),
    outcome: { text: 'four five' },
  },
  'a malformed chunk': {
    behavior: () => ({ kind: 'malformedChunk', at: 2, text: TEXT, usage: USAGE }),
    outcome: { text: 'four five six seven', warning: 'An event of the stream was not valid JSON.' },
  },
  'no end marker': {
    behavior: () => ({ kind: 'missingDone', text: TEXT, usage: USAGE }),
    outcome: { text: 'four five six seven' },
  },
  'an empty answer': {
    behavior: () => ({ kind: 'emptyAnswer', usage: USAGE }),
    outcome: { text: '' },
  },
  'comments, CRLF and data over several lines': {
    behavior: () => ({ kind: 'commentsAndCrLf', text: TEXT, usage: USAGE }),
    outcome: { text: 'four five six seven' },
  },
  'bytes that are split within code points': {
    behavior: () => ({ kind: 'answer', splitBytes: 1, text: SCRIPTS, usage: USAGE }),
    outcome: { text: SCRIPTS.join('') },
  },
  'CRLF split from each other': {
    behavior: () => ({ kind: 'commentsAndCrLf', splitBytes: 3, text: SCRIPTS, usage: USAGE }),
    outcome: { text: SCRIPTS.join('') },
  },
  'no usage at all': {
    behavior: () => ({ kind: 'answer', text: TEXT, usage: 'none' }),
    outcome: { text: 'four five six seven', counted: [COUNTED_INPUT, 4] },
  },
};

const ROUTES = ['/api/v1/chat', '/api/v1/chat/stream'] as const;
type ChatRoute = (typeof ROUTES)[number];

/** The configured hosts: all are the same provider, but each has its own circuit. */
const HOSTS: string[] = [];

/** Returns a host that no other test has made fail. */
function freshHost(): string {
  const id = `host-${HOSTS.length}`;
  HOSTS.push(id);
  return id;
}

/** A fault on a route, with its own host. */
type Case<Outcome> = [name: string, route: ChatRoute, fault: Fault<Outcome>, host: string];

/** Returns every fault on every route. */
function cases<Outcome>(faults: Readonly<Record<string, Fault<Outcome>>>): Case<Outcome>[] {
  return Object.entries(faults).flatMap(([name, fault]) =>
    ROUTES.map((route): Case<Outcome> => [name, route, fault, freshHost()]),
  );
}

const FAILURE_CASES = cases(FAILURES);
const SUCCESS_CASES = cases(SUCCESSES);
const AFTERWARDS_HOST = freshHost();
const LOG_HOST = freshHost();

/** Returns the data of the events of a complete stream. */
function eventsOf(body: unknown): unknown[] {
  const frames = String(body).split('\n\n');
  expect(frames.pop()).toBe('');
  return frames.map((frame) => {
    const data = /^(?:id: \d+\.\d+\n)?data: (.*)$/.exec(frame)?.[1];
    if (data === undefined) throw new Error(`This is no event: ${frame}`);
    return data === '[DONE]' ? data : (JSON.parse(data) as unknown);
  });
}

const provider = setUpProvider();
const apis = { patient: setUpWith('patient'), hasty: setUpWith('hasty'), brief: setUpWith('brief') };

function setUpWith(deadline: Deadline): { readonly api: TestApi; readonly user: TestUser } {
  const api = setUpApi(() => ({
    LLM_HOSTS: JSON.stringify(HOSTS.map((id) => ({ id, base_url: provider.baseUrl }))),
    LLM_MAX_RETRIES: '0',
    ...DEADLINES[deadline],
  }));
  return { api, user: setUpUser(api) };
}

/** Reads the ids of a turn from the headers, whatever its body is. */
async function turnOf(api: TestApi, route: ChatRoute, response: ApiResponse) {
  if (route === '/api/v1/chat/stream') {
    const [first] = eventsOf(response.body);
    expect(first).toEqual({
      delta: '',
      conversation_id: expect.any(String) as unknown,
      message_id: expect.any(String) as unknown,
      finished: false,
    });
    expect(at(first, 'conversation_id')).toBe(response.headers.get('x-conversation-id'));
    expect(at(first, 'message_id')).toBe(response.headers.get('x-message-id'));
    return {
      conversationId: String(at(first, 'conversation_id')),
      messageId: String(at(first, 'message_id')),
    };
  }
  const [answer] = await query(
    api.database,
    `SELECT id, conversation_id FROM messages WHERE role = 'assistant' ORDER BY id DESC LIMIT 1`,
  );
  return { conversationId: String(answer?.['conversation_id']), messageId: String(answer?.['id']) };
}

/** The API, user, route and host of a request. */
interface Asked {
  readonly api: TestApi;
  readonly user: TestUser;
  readonly route: ChatRoute;
  readonly host: string;
}

function modelOf(host: string): string {
  return `${host}/test-model`;
}

function ask(user: TestUser, route: ChatRoute, host: string): Promise<ApiResponse> {
  return user.request('POST', route, { message: QUESTION, model: modelOf(host) });
}

/** Checks that the provider received exactly one correct request for the turn. */
async function expectOneAttempt(closedBy?: 'client' | 'server'): Promise<void> {
  const asked = provider.requests.filter(({ route }) => route === 'chat');
  expect(asked.map(({ body }) => body)).toEqual([
    {
      model: 'test-model',
      messages: [{ role: 'user', content: QUESTION }],
      temperature: 0.7,
      stream: true,
      stream_options: { include_usage: true },
    },
  ]);
  // Never resolves if the connection stays open after the turn has ended.
  const closing = await asked[0]?.closed;
  if (closedBy !== undefined) expect(closing).toMatchObject({ by: closedBy });
}

describe('a provider failure', () => {
  it.each(FAILURE_CASES)(
    'is reported and stored: %s, on %s',
    async (_name, route, { behavior, deadline = 'patient', outcome }, host) => {
      const { api, user } = apis[deadline];
      provider.script(behavior());
      const response = await ask(user, route, host);
      await expectOneAttempt(outcome.closedBy);
      await expectFailure({ api, user, route, host }, response, outcome);
    },
  );

  it.each(ROUTES)('is reported and stored: a refused connection, on %s', async (route) => {
    const closing = await startFakeProvider();
    const host = 'closed';
    const api = await startApi({
      LLM_HOSTS: JSON.stringify([{ id: host, base_url: closing.baseUrl }]),
      LLM_MAX_RETRIES: '0',
    });
    try {
      const user = await registerUser(api.url);
      await closing.close();
      const response = await ask(user, route, host);
      await expectFailure({ api, user, route, host }, response, UNREACHABLE);
    } finally {
      await api.close();
      await closing.close();
    }
  });

  it('does not end the conversation: the next turn is answered', async () => {
    const { api, user } = apis.patient;
    provider.script({ kind: 'reset', afterChunks: 2, text: TEXT });
    const failed = await ask(user, '/api/v1/chat/stream', AFTERWARDS_HOST);
    const conversation_id = failed.headers.get('x-conversation-id') ?? '';
    const model = modelOf(AFTERWARDS_HOST);
    const next = await user.request('POST', '/api/v1/chat', { message: 'again', conversation_id, model });
    expect(next).toMatchObject({ status: 200, body: { message: 'again', conversation_id } });
    const conversation = await stored(api.database, conversation_id);
    expect(conversation.messages.map(({ status }) => status)).toEqual([
      'complete',
      'failed',
      'complete',
      'complete',
    ]);
    expectSettled(conversation);
  });

  it('is logged if the operator must act, and never with the user’s text', async () => {
    const { api, user } = apis.patient;
    const before = api.log.length;
    const message = `You wrote: ${QUESTION}`;
    provider.script({ kind: 'error', status: 422, message }, { kind: 'error', status: 500, message });
    for (const route of ROUTES) await ask(user, route, LOG_HOST);
    const lines = api.log.slice(before);
    const codes = lines.map((line) => at(JSON.parse(line), 'code'));
    expect(codes.filter((code) => code !== undefined)).toEqual(['provider_error']);
    expect(lines.join('')).not.toContain(QUESTION);
  });
});

async function expectFailure(
  { api, user, route, host }: Asked,
  response: ApiResponse,
  failure: Failure,
): Promise<void> {
  const { status, code, type, message, param = null, partial = '', counted = [0, 0] } = failure;
  const error = { code, message, type, param };
  const { conversationId, messageId } = await turnOf(api, route, response);

  if (route === '/api/v1/chat') {
    expect(response.status).toBe(status);
    expect(response.body).toEqual({ error, request_id: response.headers.get('x-request-id') });
    expect(at(response.body, 'request_id')).toMatch(/^[\da-f-]{36}$/);
    expect(response.headers.get('x-should-retry')).toBe(failure.shouldRetry ?? null);
    const retryAfter = response.headers.get('retry-after');
    if (typeof failure.retryAfter === 'string')
      expect(retryAfter).toMatch(new RegExp(`^(${failure.retryAfter})$`));
    else expect(retryAfter).toBeNull();
  } else {
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const events = eventsOf(response.body);
    const deltas = events.slice(1, -1);
    expect(deltas.map((event) => at(event, 'delta')).join('')).toBe(partial);
    expect(deltas.filter((event) => at(event, 'finished') !== false)).toEqual([]);
    expect(events.at(-1)).toEqual({ error });
  }

  const conversation = await stored(api.database, conversationId);
  const [inputTokens, outputTokens] = counted;
  expect(conversation.messages).toMatchObject([
    { role: 'user', content: QUESTION, status: 'complete' },
    {
      id: messageId,
      role: 'assistant',
      status: 'failed',
      content: partial,
      model: modelOf(host),
      finish_reason: null,
      error_code: code,
      error_message: message,
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      // The price is unknown, but zero usage costs nothing.
      cost_micro_usd: inputTokens + outputTokens === 0 ? 0 : null,
    },
  ]);
  expect(conversation.usage).toEqual([
    {
      call_id: messageId,
      attempt: 1,
      provider: host,
      model: 'test-model',
      outcome: 'failed',
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      estimated: true,
    },
  ]);
  expectSettled(conversation);

  const messages = await user.request('GET', `/api/v1/conversations/${conversationId}/messages`);
  expect(listAt(messages.body, 'data')[1]).toMatchObject({
    id: messageId,
    status: 'failed',
    content: partial,
    usage: {
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
    },
    cost_estimate: inputTokens + outputTokens === 0 ? 0 : null,
    error: { code, message },
  });
}

describe('an unusual but complete provider response', () => {
  it.each(SUCCESS_CASES)(
    'is accepted and stored: %s, on %s',
    async (_name, route, { behavior, deadline = 'patient', outcome }, host) => {
      const { api, user } = apis[deadline];
      provider.script(behavior());
      const response = await ask(user, route, host);
      await expectOneAttempt();
      await expectSuccess({ api, user, route, host }, response, outcome);
    },
  );
});

async function expectSuccess(
  { api, user, route, host }: Asked,
  response: ApiResponse,
  success: Success,
): Promise<void> {
  const { text, finishReason = 'stop', counted } = success;
  const [inputTokens, outputTokens] = counted ?? [USAGE.prompt_tokens, USAGE.completion_tokens];
  const { conversationId, messageId } = await turnOf(api, route, response);
  const usage = {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
  const figures = {
    conversation_id: conversationId,
    message_id: messageId,
    model: modelOf(host),
    tokens_used: usage.total_tokens,
    usage,
    cost_estimate: null,
    finish_reason: finishReason,
    cached: false,
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    ...(success.warning !== undefined && { warning: success.warning }),
  };

  expect(response.status).toBe(200);
  if (route === '/api/v1/chat') {
    expect(response.body).toEqual({ message: text, ...figures });
  } else {
    const events = eventsOf(response.body);
    expect(events.at(-1)).toBe('[DONE]');
    expect(events.at(-2)).toEqual({ delta: '', finished: true, ...figures });
    const deltas = events.slice(1, -2);
    expect(deltas.map((event) => at(event, 'delta')).join('')).toBe(text);
    expect(deltas.filter((event) => at(event, 'finished') !== false)).toEqual([]);
  }

  const conversation = await stored(api.database, conversationId);
  expect(conversation.messages).toMatchObject([
    { role: 'user', content: QUESTION, status: 'complete' },
    {
      id: messageId,
      role: 'assistant',
      status: 'complete',
      content: text,
      model: modelOf(host),
      finish_reason: finishReason,
      error_code: null,
      warning: success.warning ?? null,
      input_tokens: inputTokens,
      output_tokens: outputTokens,
    },
  ]);
  expect(conversation.usage).toMatchObject([
    {
      call_id: messageId,
      outcome: 'completed',
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      estimated: counted !== undefined,
    },
  ]);
  expectSettled(conversation);

  const shown = await send(`${api.url}/api/v1/conversations/${conversationId}`, {
    headers: { authorization: `Bearer ${user.token}` },
  });
  expect(at(shown.body, 'tokens_used')).toBe(usage.total_tokens);
}
