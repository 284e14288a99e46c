import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import Anthropic, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  OverloadedError,
  PermissionDeniedError,
  RateLimitError,
} from '@anthropic-ai/sdk';

import { FAKE_SIGNATURE } from './anthropic-blocks.js';
import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { gatedAnswer } from './gated-answer.js';
import { post, type RawResponse } from './raw-client.js';
import type { Behavior } from './script.js';
import { property } from './unknown-value.js';

let provider: FakeProvider;
let client: Anthropic;

const clientOf = (baseURL: string, apiKey: string): Anthropic =>
  new Anthropic({ baseURL, apiKey, maxRetries: 0, logLevel: 'off' });

beforeAll(async () => {
  provider = await startFakeProvider();
  client = clientOf(provider.anthropicBaseUrl, 'any');
});
afterEach(() => provider.reset());
afterAll(async () => provider.close());

const question = {
  model: 'claude-opus-5-5',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: 'one two three' }],
};

async function raw(behavior: Behavior, stream: boolean): Promise<RawResponse> {
  provider.script(behavior);
  return post(`${provider.origin}/v1/messages`, { ...question, stream });
}

/** Returns the names and data of the events of a plain stream. */
function eventsOf(text: string): { name: string | undefined; data: unknown }[] {
  return text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const [, name, data = ''] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
      return { name, data: JSON.parse(data) as unknown };
    });
}

const namesOf = (text: string): (string | undefined)[] => eventsOf(text).map(({ name }) => name);

describe('answers of the fake Anthropic', () => {
  it('echo the last user message completely', async () => {
    const answer = await client.messages.create({
      ...question,
      system: 'be brief',
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'hello' }] },
        { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: {} }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'done now' }] },
      ],
    });
    expect(answer).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'claude-opus-5-5',
      content: [{ type: 'text', text: 'hello' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 5, output_tokens: 1 },
    });
  });

  it('stream named events in the order of the protocol', async () => {
    const { text, headers } = await raw({ kind: 'answer', reasoning: ['hm'], text: ['a', ' b'] }, true);
    expect(headers['content-type']).toMatch('text/event-stream');
    expect(headers['request-id']).toMatch(/^req_fake_/);
    const events = eventsOf(text);
    expect(events.every(({ name, data }) => name === property(data, 'type'))).toBe(true);
    expect(events.map(({ name }) => name)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('are equal as a stream and as a body', async () => {
    const toolCalls = [
      { name: 'clock', arguments: ['{"zone"', ':"UTC"}'] },
      { name: 'dice', arguments: '' },
    ];
    const usage = {
      prompt_tokens: 7,
      completion_tokens: 9,
      prompt_tokens_details: { cached_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 2 },
    };
    provider.setDefault({ kind: 'answer', text: ['a', ' b'], reasoning: 'hm well', toolCalls, usage });
    const streamed = await client.messages.stream(question).finalMessage();
    expect(streamed).toMatchObject({
      content: [
        { type: 'thinking', thinking: 'hm well', signature: FAKE_SIGNATURE },
        { type: 'text', text: 'a b' },
        { type: 'tool_use', id: 'call_0', name: 'clock', input: { zone: 'UTC' } },
        { type: 'tool_use', id: 'call_1', name: 'dice', input: {} },
      ],
      stop_reason: 'tool_use',
      usage: { input_tokens: 2, cache_read_input_tokens: 5, output_tokens: 9 },
    });
    const whole = await client.messages.create(question);
    expect(whole.content).toMatchObject(streamed.content);
    expect(whole.usage).toMatchObject({ input_tokens: 2, output_tokens: 9 });
  });

  it.each([
    ['length', 'max_tokens'],
    ['content_filter', 'refusal'],
    ['stop', 'end_turn'],
  ] as const)('end with %s as %s', async (finishReason, stopReason) => {
    provider.setDefault({ kind: 'answer', finishReason });
    expect((await client.messages.create(question)).stop_reason).toBe(stopReason);
    expect((await client.messages.stream(question).finalMessage()).stop_reason).toBe(stopReason);
  });

  it('stay valid with comments and CRLF, split into bytes, dripped, or empty', async () => {
    provider.script(
      { kind: 'commentsAndCrLf', text: ['a  b', '\tc'] },
      { kind: 'answer', text: ['grüße 👋🏽'], splitBytes: 3 },
      { kind: 'drip', chunkMs: 1, text: ['x'] },
      { kind: 'emptyAnswer' },
    );
    const texts: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      const { content } = await client.messages.stream(question).finalMessage();
      texts.push(content.map((block) => (block.type === 'text' ? block.text : '')).join(''));
    }
    expect(texts).toEqual(['a  b\tc', 'grüße 👋🏽', 'x', '']);
  });

  it('can omit their usage', async () => {
    expect((await raw({ kind: 'answer', usage: 'none' }, true)).text).not.toMatch('usage');
  });
});

describe('errors of the fake Anthropic', () => {
  it.each([
    [400, BadRequestError, 'invalid_request_error'],
    [401, AuthenticationError, 'authentication_error'],
    [403, PermissionDeniedError, 'permission_error'],
    [404, NotFoundError, 'not_found_error'],
    [413, APIError, 'request_too_large'],
    [429, RateLimitError, 'rate_limit_error'],
    [500, InternalServerError, 'api_error'],
    [529, OverloadedError, 'overloaded_error'],
  ])('with status %i throw the error class of the official client', async (status, expected, type) => {
    provider.setDefault({ kind: 'error', status });
    for (const stream of [false, true]) {
      const refused = client.messages.create({ ...question, stream });
      await expect(refused).rejects.toThrow(expected);
      await expect(refused).rejects.toMatchObject({ status, type });
    }
  });

  it('have Anthropic’s message if a script uses an OpenAI error code', async () => {
    provider.script({ kind: 'error', status: 400, code: 'context_length_exceeded', retryAfter: 7 });
    const refused = client.messages.create(question);
    await expect(refused).rejects.toMatchObject({
      type: 'invalid_request_error',
      message: expect.stringContaining('prompt is too long'),
    });
  });

  it('can occur in mid-stream, and in a body with status 200', async () => {
    const behavior: Behavior = { kind: 'errorInStream', afterChunks: 1, error: { code: 'overloaded' } };
    provider.script(behavior);
    await expect(client.messages.stream(question).finalMessage()).rejects.toMatchObject({
      type: 'overloaded_error',
    });
    const { text } = await raw(behavior, true);
    expect(eventsOf(text).at(-1)).toEqual({
      name: 'error',
      data: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    });
    const body = await raw(behavior, false);
    expect(body.status).toBe(200);
    expect(JSON.parse(body.text)).toMatchObject({ type: 'error' });
  });
});

describe('faults of the fake Anthropic', () => {
  it('include a cut, a reset and a missing end marker after the given number of deltas', async () => {
    const begun = ['message_start', 'content_block_start', 'content_block_delta', 'content_block_delta'];
    const cut = await raw({ kind: 'cut', afterChunks: 2 }, true);
    expect([cut.error, ...namesOf(cut.text)]).toEqual([undefined, ...begun]);
    const reset = await raw({ kind: 'reset', afterChunks: 2 }, true);
    expect([reset.error, ...namesOf(reset.text)]).toEqual(['ECONNRESET', ...begun]);
    expect(namesOf((await raw({ kind: 'missingDone' }, true)).text).at(-1)).toBe('message_delta');
    await expect(raw({ kind: 'reset' }, true)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('include a single malformed event, after which the stream continues', async () => {
    const { text } = await raw({ kind: 'malformedChunk', at: 1 }, true);
    const data = text.split('\n').filter((line) => line.startsWith('data: '));
    const broken = data.filter((line) => !line.endsWith('}'));
    expect(broken).toHaveLength(1);
    expect(text).toMatch(/message_stop"\}\n\n$/);
  });

  it('include a silent stream with pings, and the client’s disconnect is noticed', async () => {
    provider.script({ kind: 'silence', afterHeaders: true, pingEveryMs: 1 });
    const arriving = provider.nextRequest('chat');
    const leaving = new AbortController();
    const response = await fetch(`${provider.origin}/v1/messages`, {
      method: 'POST',
      body: JSON.stringify({ ...question, stream: true }),
      signal: leaving.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('\n\n')) text += (await reader?.read())?.value ?? '';
    expect(text).toMatch('event: ping\ndata: {"type": "ping"}\n\n');
    leaving.abort();
    expect((await (await arriving).closed).by).toBe('client');
  });

  it('can be avoided by a gate that releases the deltas one by one', async () => {
    const gate = gatedAnswer(['a', 'b']);
    provider.script(gate);
    const deltas: string[] = [];
    const stream = await client.messages.create({ ...question, stream: true });
    gate.release();
    for await (const event of stream) {
      if (event.type !== 'content_block_delta' || event.delta.type !== 'text_delta') continue;
      deltas.push(event.delta.text);
      gate.finish();
    }
    expect(deltas).toEqual(['a', 'b']);
  });
});

describe('routes of the fake Anthropic', () => {
  it('list models in pages and return one, in the API format of the client', async () => {
    provider.models = ['one', 'maker/two', 'three'];
    const ids: string[] = [];
    for await (const model of client.models.list({ limit: 2 })) ids.push(model.id);
    expect(ids).toEqual(['one', 'maker/two', 'three']);
    expect(provider.requests).toHaveLength(2);
    expect(await client.models.retrieve('maker/two')).toMatchObject({ type: 'model', id: 'maker/two' });
    await expect(client.models.retrieve('four')).rejects.toThrow(NotFoundError);
    const plain = await fetch(`${provider.origin}/v1/models`);
    expect(await plain.json()).toMatchObject({ object: 'list' });
  });

  it('count tokens', async () => {
    const { messages, model } = question;
    const counted = await client.messages.countTokens({ model, messages, system: 'be brief' });
    expect(counted).toEqual({ input_tokens: 5 });
  });

  it('refuse invalid requests', async () => {
    const refused = await post(`${provider.origin}/v1/messages`, { ...question, max_tokens: undefined });
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.text)).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error' },
    });
  });

  it('accept the key in either header, and refuse a wrong one', async () => {
    const guarded = await startFakeProvider({ apiKey: 'secret' });
    try {
      const url = `${guarded.origin}/v1/messages`;
      const send = (headers: Record<string, string>): Promise<Response> =>
        fetch(url, { method: 'POST', headers, body: JSON.stringify(question) });
      expect((await send({ 'x-api-key': 'secret' })).status).toBe(200);
      expect((await send({ authorization: 'Bearer secret' })).status).toBe(200);
      const refused = await send({ 'x-api-key': 'wrong' });
      expect([refused.status, await refused.json()]).toEqual([
        401,
        { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } },
      ]);
      const stranger = clientOf(guarded.anthropicBaseUrl, 'wrong');
      await expect(stranger.messages.create(question)).rejects.toThrow(AuthenticationError);
    } finally {
      await guarded.close();
    }
  });
});
