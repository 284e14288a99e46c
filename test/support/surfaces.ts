import { at, collect, listAt, send, type TestUser } from './client.js';

/** The parts of an answer that a client reads, in a common form for all APIs. */
export interface SurfaceAnswer {
  readonly status: number;
  readonly text: string;
  /** Tool calls as `id name arguments`. */
  readonly calls: readonly string[];
  /** The finish reason in OpenAI's terms. */
  readonly finish: unknown;
  /** The error code, also within a stream; Anthropic's API has an error type instead. */
  readonly error: unknown;
  readonly message: unknown;
}

/** Requests an answer through one API. */
export type AskSurface = (client: SurfaceClient, model: string) => Promise<SurfaceAnswer>;

/** The user and the URL of the API. */
export interface SurfaceClient {
  readonly url: string;
  readonly user: TestUser;
}

const PARAMETERS = { type: 'object', properties: { city: { type: 'string' } } };
const TOOL = { type: 'function', function: { name: 'get_weather', parameters: PARAMETERS } };
const ASKED = [{ role: 'user', content: 'Hi' }];

/** Stop reasons of Anthropic's format in OpenAI's terms. */
const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['end_turn', 'stop'],
  ['tool_use', 'tool_calls'],
  ['refusal', 'content_filter'],
  ['max_tokens', 'length'],
]);

/** The APIs through which an answer can be read, streamed and as JSON. */
export const SURFACES = {
  '/v1/chat/completions': async (client, model) => {
    const { status, body } = await client.user.request('POST', '/v1/chat/completions', chatBody(model));
    const choice = at(body, 'choices', 0);
    return toSurfaceAnswer(status, [at(choice, 'message')], at(choice, 'finish_reason'), body);
  },
  '/v1/chat/completions, streamed': (client, model) =>
    openaiStream(client, '/v1/chat/completions', chatBody(model), (choice) => at(choice, 'delta')),
  '/v1/messages': async (client, model) => {
    const { status, body } = await messages(client, model, false);
    const blocks = list(at(body, 'content'));
    return {
      ...toSurfaceAnswer(status, [], REASONS.get(at(body, 'stop_reason')), body),
      text: blocks.map((block) => word(at(block, 'text'))).join(''),
      calls: blocks
        .filter((block) => at(block, 'type') === 'tool_use')
        .map((block) => called(block, JSON.stringify(at(block, 'input')))),
    };
  },
  '/v1/messages, streamed': async (client, model) => {
    const { status, body } = await messages(client, model, true);
    const events = dataIn(body);
    const failed = events.find((event) => at(event, 'type') === 'error') ?? body;
    const end = events.find((event) => at(event, 'type') === 'message_delta');
    return {
      ...toSurfaceAnswer(status, [], REASONS.get(at(end, 'delta', 'stop_reason')), failed),
      text: events.map((event) => word(at(event, 'delta', 'text'))).join(''),
      calls: events
        .filter((event) => at(event, 'content_block', 'type') === 'tool_use')
        .map((event) => called(at(event, 'content_block'), jsonOf(events, at(event, 'index')))),
    };
  },
  '/v1/completions': async (client, model) => {
    const { status, body } = await client.user.request('POST', '/v1/completions', { model, prompt: 'Hi' });
    const choice = at(body, 'choices', 0);
    return toSurfaceAnswer(status, [{ content: at(choice, 'text') }], at(choice, 'finish_reason'), body);
  },
  '/v1/completions, streamed': (client, model) =>
    openaiStream(client, '/v1/completions', { model, prompt: 'Hi' }, (choice) => ({
      content: at(choice, 'text'),
    })),
  '/api/v1/chat': async ({ user }, model) => {
    const { status, body } = await user.request('POST', '/api/v1/chat', turnBody(model));
    const message = { content: at(body, 'message'), tool_calls: at(body, 'tool_calls') };
    return toSurfaceAnswer(status, [message], at(body, 'finish_reason'), body);
  },
  '/api/v1/chat/stream': async ({ user }, model) => {
    const events = await collect(user.stream('/api/v1/chat/stream', turnBody(model)));
    const deltas = events.map((event) => ({
      content: at(event, 'delta'),
      tool_calls: at(event, 'tool_calls'),
    }));
    const failed = events.find((event) => at(event, 'error') !== undefined);
    const end = events.find((event) => at(event, 'finish_reason') !== undefined);
    return toSurfaceAnswer(200, deltas, at(end, 'finish_reason'), failed);
  },
  'the stored message': async ({ user }, model) => {
    const { status, headers, body } = await user.request('POST', '/api/v1/chat', turnBody(model));
    const path = `/api/v1/conversations/${String(headers.get('x-conversation-id'))}/messages`;
    const stored = listAt((await user.request('GET', path)).body, 'data').at(-1);
    return toSurfaceAnswer(status, [stored], at(stored, 'finish_reason'), body);
  },
} as const satisfies Readonly<Record<string, AskSurface>>;

/** The name of an API in {@link SURFACES}. */
export type SurfaceName = keyof typeof SURFACES;

function chatBody(model: string): object {
  return { model, messages: ASKED, tools: [TOOL] };
}

function turnBody(model: string): object {
  return { model, message: 'Hi', tools: [TOOL] };
}

function messages({ url, user }: SurfaceClient, model: string, stream: boolean) {
  return send(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': user.token, 'anthropic-version': '2023-06-01' },
    body: {
      model,
      max_tokens: 100,
      stream,
      messages: ASKED,
      tools: [{ name: 'get_weather', input_schema: PARAMETERS }],
    },
  });
}

async function openaiStream(
  { user }: SurfaceClient,
  path: string,
  body: object,
  deltaOf: (choice: unknown) => unknown,
): Promise<SurfaceAnswer> {
  const answer = await user.request('POST', path, { ...body, stream: true });
  const events = dataIn(answer.body);
  const choices = events.flatMap((event) => list(at(event, 'choices')));
  const end = choices.find((choice) => typeof at(choice, 'finish_reason') === 'string');
  const failed = events.find((event) => at(event, 'error') !== undefined) ?? answer.body;
  return toSurfaceAnswer(answer.status, choices.map(deltaOf), at(end, 'finish_reason'), failed);
}

/** @param messages the message, or its deltas */
function toSurfaceAnswer(
  status: number,
  messages: readonly unknown[],
  finish: unknown,
  body: unknown,
): SurfaceAnswer {
  const calls = new Map<unknown, { id: unknown; name: unknown; text: string }>();
  for (const message of messages) {
    for (const [place, call] of list(at(message, 'tool_calls')).entries()) {
      const index = at(call, 'index') ?? place;
      const known = calls.get(index) ?? {
        id: at(call, 'id'),
        name: at(call, 'function', 'name'),
        text: '',
      };
      known.text += word(at(call, 'function', 'arguments'));
      calls.set(index, known);
    }
  }
  return {
    status,
    text: messages.map((message) => word(at(message, 'content'))).join(''),
    calls: Array.from(calls.values(), (call) => called(call, call.text)),
    finish,
    error: at(body, 'error', 'code') ?? at(body, 'error', 'type'),
    message: at(body, 'error', 'message'),
  };
}

function called(call: unknown, text: string): string {
  return `${word(at(call, 'id'))} ${word(at(call, 'name'))} ${text}`;
}

/** Returns the arguments of the tool call at that index of a Messages stream. */
function jsonOf(events: readonly unknown[], index: unknown): string {
  return events
    .filter((event) => at(event, 'index') === index)
    .map((event) => word(at(event, 'delta', 'partial_json')))
    .join('');
}

/** Returns the data of the events in a stream, or nothing if the body is not a stream. */
function dataIn(body: unknown): unknown[] {
  if (typeof body !== 'string') return [];
  return Array.from(body.matchAll(/^data: (\{.*)$/gm), ([, data = '']): unknown => JSON.parse(data));
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** Returns a string unchanged, and any other value as JSON, so that a comparison shows it. */
function word(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
