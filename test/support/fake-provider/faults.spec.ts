import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, {
  APIConnectionError,
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
  UnprocessableEntityError,
} from 'openai';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { gatedAnswer } from './gated-answer.js';
import { chat, dataLines, post, type RawResponse } from './raw-client.js';
import type { Behavior } from './script.js';

let provider: FakeProvider;
let client: OpenAI;

beforeAll(async () => {
  provider = await startFakeProvider();
  client = new OpenAI({ baseURL: provider.baseUrl, apiKey: 'any', maxRetries: 0, logLevel: 'off' });
});
afterEach(() => provider.reset());
afterAll(async () => provider.close());

const question = { model: 'gpt', messages: [{ role: 'user' as const, content: 'one two three' }] };

async function raw(behavior: Behavior, stream: boolean): Promise<RawResponse> {
  provider.script(behavior);
  return post(`${provider.baseUrl}/chat/completions`, chat('one two three', { stream }));
}

async function streamed(behavior: Behavior): Promise<{ text: string; error: unknown }> {
  provider.script(behavior);
  let text = '';
  try {
    const stream = await client.chat.completions.create({ ...question, stream: true });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

describe('errors of the fake OpenAI', () => {
  it.each([
    [400, BadRequestError, null],
    [401, AuthenticationError, 'invalid_api_key'],
    [403, PermissionDeniedError, 'permission_denied'],
    [404, NotFoundError, 'model_not_found'],
    [408, APIError, 'request_timeout'],
    [409, ConflictError, 'conflict'],
    [413, APIError, 'request_too_large'],
    [422, UnprocessableEntityError, null],
    [429, RateLimitError, 'rate_limit_exceeded'],
    [500, InternalServerError, null],
    [502, InternalServerError, null],
    [503, InternalServerError, 'overloaded'],
    [529, InternalServerError, 'overloaded'],
  ])('with status %i throw the error class of the official client', async (status, expected, code) => {
    provider.setDefault({ kind: 'error', status });
    for (const stream of [false, true]) {
      const refused = client.chat.completions.create({ ...question, stream });
      await expect(refused).rejects.toThrow(expected);
      await expect(refused).rejects.toMatchObject({ status, code, param: null });
    }
  });

  it('have the scripted code, message and retry headers', async () => {
    const retryAfter = new Date(Date.UTC(2030, 0, 1));
    provider.script(
      { kind: 'error', status: 400, code: 'context_length_exceeded', param: 'messages' },
      { kind: 'error', status: 429, code: null, type: 'tokens', message: 'Slow down.', retryAfter: 7 },
    );
    await expect(client.chat.completions.create(question)).rejects.toMatchObject({
      code: 'context_length_exceeded',
      param: 'messages',
      message: expect.stringContaining('maximum context length'),
    });
    const error: unknown = await client.chat.completions.create(question).catch((cause: unknown) => cause);
    if (!(error instanceof RateLimitError)) throw new Error('not a rate limit error');
    expect(error).toMatchObject({ code: null, type: 'tokens', message: '429 Slow down.' });
    expect(error.requestID).toMatch(/^req_fake_/);
    expect(error.headers.get('retry-after')).toBe('7');
    const dated = await raw(
      { kind: 'error', status: 503, retryAfter, retryAfterMs: 20, headers: { 'x-should-retry': 'false' } },
      true,
    );
    expect(dated.headers).toMatchObject({
      'retry-after': 'Tue, 01 Jan 2030 00:00:00 GMT',
      'retry-after-ms': '20',
      'x-should-retry': 'false',
    });
  });

  it('can have a body that is not JSON', async () => {
    const html = await raw({ kind: 'error', status: 502, body: 'html' }, false);
    expect(html).toMatchObject({ status: 502, text: expect.stringContaining('<h1>502</h1>') });
    expect(html.headers['content-type']).toBe('text/html');
    expect(await raw({ kind: 'error', status: 500, body: 'empty' }, true)).toMatchObject({
      status: 500,
      text: '',
    });
  });
});

describe('broken connections of the fake OpenAI', () => {
  it('can be reset before any byte', async () => {
    for (const stream of [false, true]) {
      const arriving = provider.nextRequest();
      await expect(raw({ kind: 'reset' }, stream)).rejects.toMatchObject({ code: 'ECONNRESET' });
      const request = await arriving;
      expect((await request.closed).by).toBe('server');
      await expect(request.firstByteSent).rejects.toThrow('before its first byte');
    }
    expect((await streamed({ kind: 'reset' })).error).toBeInstanceOf(APIConnectionError);
  });

  it('can be reset in mid-answer', async () => {
    const stream = await raw({ kind: 'reset', afterChunks: 2 }, true);
    expect(stream).toMatchObject({ status: 200, error: 'ECONNRESET' });
    expect(dataLines(stream.text)).toHaveLength(3);
    const body = await raw({ kind: 'reset', afterChunks: 2 }, false);
    expect(body.error).toBe('ECONNRESET');
    expect(body.text).toMatch(/^\{"id"/);
    const seen = await streamed({ kind: 'reset', afterChunks: 2 });
    expect(seen.text).toBe('one two');
    expect(seen.error).toBeDefined();
  });

  it('can be cut like a complete answer', async () => {
    const stream = await raw({ kind: 'cut', afterChunks: 2 }, true);
    expect(stream.error).toBeUndefined();
    expect(dataLines(stream.text)).toHaveLength(3);
    expect(stream.text).not.toMatch(/"finish_reason":"|DONE/);
    const body = await raw({ kind: 'cut', afterChunks: 2 }, false);
    expect(body.error).toBeUndefined();
    expect(body.headers).not.toHaveProperty('content-length');
    expect(() => JSON.parse(body.text) as unknown).toThrow(SyntaxError);
    expect((await streamed({ kind: 'cut', afterChunks: 2 })).text).toBe('one two');
  });

  it.each(['cut', 'reset', 'fail'] as const)('can end a gated answer with %s', async (how) => {
    for (const stream of [true, false]) {
      const gate = gatedAnswer(['a', 'b']);
      gate.release();
      if (how === 'fail') gate.fail({ code: 'overloaded', message: 'Busy.' });
      else gate[how]();
      const response = await raw(gate, stream);
      expect(response.error).toBe(how === 'reset' ? 'ECONNRESET' : undefined);
      expect(response.text.includes('"content":"a"')).toBe(stream);
      expect(response.text).not.toMatch('"content":"b"');
      expect(response.text.includes('Busy.')).toBe(how === 'fail');
    }
  });
});

describe('spoiled answers of the fake OpenAI', () => {
  it('contain a single malformed frame, after which the stream continues', async () => {
    const lines = dataLines((await raw({ kind: 'malformedChunk', at: 1 }, true)).text);
    const broken = lines.filter((line) => line !== '[DONE]' && !line.endsWith('}'));
    expect(broken).toEqual([lines[2]]);
    expect(lines).toHaveLength(7);
    expect(() => JSON.parse(lines[2] ?? '') as unknown).toThrow(SyntaxError);
    expect((await streamed({ kind: 'malformedChunk', at: 1 })).error).toBeInstanceOf(SyntaxError);
    const body = await raw({ kind: 'malformedChunk', at: 1 }, false);
    expect(() => JSON.parse(body.text) as unknown).toThrow(SyntaxError);
  });

  it('can lack the end marker', async () => {
    const stream = await raw({ kind: 'missingDone' }, true);
    expect(dataLines(stream.text).at(-1)).toMatch('"finish_reason":"stop"');
    expect(await streamed({ kind: 'missingDone' })).toEqual({ text: 'one two three', error: undefined });
    expect((await raw({ kind: 'missingDone' }, false)).text).toMatch('one two three');
  });

  it('can contain an error in mid-stream', async () => {
    const error = { code: 'overloaded', message: 'Too busy.', status: 503 };
    const seen = await streamed({ kind: 'errorInStream', afterChunks: 1, error });
    expect(seen.text).toBe('one');
    expect(seen.error).toBeInstanceOf(APIError);
    expect(seen.error).toMatchObject({ code: 'overloaded', message: 'Too busy.', type: 'server_error' });
    const body = await raw({ kind: 'errorInStream', afterChunks: 1, error }, false);
    expect(body.status).toBe(200);
    expect(JSON.parse(body.text)).toMatchObject({ error: { code: 'overloaded', param: null } });
  });
});
