import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { gatedAnswer } from './gated-answer.js';
import { chat, post, type RawResponse } from './raw-client.js';
import type { Behavior } from './script.js';
import { parseJson, property } from './unknown-value.js';

let provider: FakeProvider;

beforeAll(async () => {
  provider = await startFakeProvider();
});
afterEach(() => provider.reset());
afterAll(async () => provider.close());

const ask = (more: Record<string, unknown> = {}, content = 'one two'): Promise<RawResponse> =>
  post(`${provider.origin}/api/chat`, chat(content, more));

async function asked(behavior: Behavior, more: Record<string, unknown> = {}): Promise<RawResponse> {
  provider.script(behavior);
  return ask(more, 'one two three');
}

/** Returns the objects of a stream, with undefined for a malformed line. */
const objectsOf = ({ text }: RawResponse): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseJson);

describe('the chat routes of the fake Ollama', () => {
  it('stream unless stream is false, and end with the reason and the counts', async () => {
    const streamed = await ask();
    expect(streamed).toMatchObject({ status: 200, headers: { 'content-type': 'application/x-ndjson' } });
    expect(streamed.text.endsWith('}\n')).toBe(true);
    const created_at: unknown = expect.stringMatching(/^\d{4}-.*Z$/);
    const piece = (content: string) => ({
      model: 'test-model',
      created_at,
      message: { role: 'assistant', content },
      done: false,
    });
    expect(objectsOf(streamed)).toEqual([
      piece('one'),
      piece(' two'),
      expect.objectContaining({
        message: { role: 'assistant', content: '' },
        done: true,
        done_reason: 'stop',
        prompt_eval_count: 2,
        eval_count: 2,
      }),
    ]);
    expect(parseJson((await ask({ stream: false })).text)).toMatchObject({
      message: { content: 'one two' },
      done: true,
      done_reason: 'stop',
      eval_count: 2,
    });
  });

  it('follow the script in every respect', async () => {
    const scripted: Behavior = {
      kind: 'answer',
      reasoning: 'hm',
      text: ['a'],
      toolCalls: [{ name: 'clock', arguments: ['{"zone"', ':"UTC"}'] }],
      finishReason: 'length',
      usage: 'none',
    };
    const tool_calls = [{ function: { name: 'clock', arguments: { zone: 'UTC' } } }];
    const lines = objectsOf(await asked(scripted));
    expect(lines.map((line) => property(line, 'message'))).toEqual([
      { role: 'assistant', content: '', thinking: 'hm' },
      { role: 'assistant', content: 'a' },
      { role: 'assistant', content: '', tool_calls },
      { role: 'assistant', content: '' },
    ]);
    expect(lines.at(-1)).toMatchObject({ done_reason: 'length' });
    expect(lines.at(-1)).not.toHaveProperty('eval_count');
    const whole = parseJson((await asked(scripted, { stream: false })).text);
    expect(property(whole, 'message')).toEqual({
      role: 'assistant',
      content: 'a',
      thinking: 'hm',
      tool_calls,
    });
  });

  it('return the answer to a prompt without a message around it', async () => {
    const body = { model: 'test-model', prompt: 'one two' };
    const lines = objectsOf(await post(`${provider.origin}/api/generate`, body));
    expect(lines.map((line) => property(line, 'response'))).toEqual(['one', ' two', '']);
    expect(lines.at(-1)).toMatchObject({ done: true, prompt_eval_count: 2 });
    expect(lines[0]).not.toHaveProperty('message');
    provider.script({ kind: 'answer', reasoning: 'hm', text: 'x' });
    const whole = await post(`${provider.origin}/api/generate`, { ...body, stream: false });
    expect(parseJson(whole.text)).toMatchObject({ response: 'x', thinking: 'hm', done: true });
  });

  it('stay valid with CRLF, empty lines and white space', async () => {
    const awkward = await asked({ kind: 'commentsAndCrLf' });
    expect(awkward.text).toMatch(/^\r\n \t\{\t "model"/);
    expect(objectsOf(awkward).map((line) => property(property(line, 'message'), 'content'))).toEqual([
      'one',
      ' two',
      ' three',
      '',
    ]);
  });

  it('split their bytes within lines and code points', async () => {
    const split = await asked({ kind: 'answer', text: ['grüße 👋🏽'], splitBytes: 3 });
    expect(split.pieces.every((piece) => piece.length <= 3)).toBe(true);
    expect(objectsOf(split)[0]).toMatchObject({ message: { content: 'grüße 👋🏽' } });
  });
});

describe('faults of the fake Ollama', () => {
  it.each([
    [404, undefined, "model 'missing' not found"],
    [400, 'context_length_exceeded', 'prompt too long; exceeded max context length by 12 tokens'],
    [503, undefined, 'server busy, please try again.  maximum pending requests exceeded'],
    [418, undefined, 'something went wrong'],
  ])('include a refusal with %i (%s) and its message', async (status, code, error) => {
    const refused = await asked({
      kind: 'error',
      status,
      ...(code !== undefined && { code }),
      retryAfter: 3,
    });
    expect(refused).toMatchObject({ status, headers: { 'retry-after': '3' } });
    expect(parseJson(refused.text)).toEqual({ error });
  });

  it('include an error line in mid-stream, and an error body instead of a JSON answer', async () => {
    const fault: Behavior = { kind: 'errorInStream', afterChunks: 1, error: { message: 'Too busy.' } };
    expect(objectsOf(await asked(fault)).slice(1)).toEqual([{ error: 'Too busy.' }]);
    const whole = await asked(fault, { stream: false });
    expect(whole).toMatchObject({ status: 200, text: '{"error":"Too busy."}' });
  });

  it('include a single malformed line, after which the stream continues', async () => {
    for (const at of [0, 1]) {
      const lines = objectsOf(await asked({ kind: 'malformedChunk', at }));
      expect(lines).toHaveLength(5);
      expect(lines.indexOf(undefined)).toBe(at);
    }
  });

  it('include a cut, a reset and a failing gate', async () => {
    expect(objectsOf(await asked({ kind: 'cut', afterChunks: 2 }))).toHaveLength(2);
    const reset = await asked({ kind: 'reset', afterChunks: 2 });
    expect([reset.error, objectsOf(reset).length]).toEqual(['ECONNRESET', 2]);
    const gate = gatedAnswer(['a', 'b']);
    gate.release();
    gate.fail({ message: 'Busy.' });
    expect(objectsOf(await asked(gate)).slice(1)).toEqual([{ error: 'Busy.' }]);
  });

  it('include a silent stream with empty lines as keep-alive', async () => {
    provider.script({ kind: 'silence', afterHeaders: true, pingEveryMs: 1 });
    const leaving = new AbortController();
    const { body } = await fetch(`${provider.origin}/api/chat`, {
      method: 'POST',
      body: JSON.stringify(chat('x')),
      signal: leaving.signal,
    });
    const first = await body?.pipeThrough(new TextDecoderStream()).getReader().read();
    leaving.abort();
    expect(first?.value).toMatch(/^\n+$/);
  });

  it('include a refusal of an invalid request', async () => {
    expect((await post(`${provider.origin}/api/chat`, { messages: [] })).status).toBe(400);
  });
});
