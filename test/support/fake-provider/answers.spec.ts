import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI from 'openai';
import type { ChatCompletionChunk } from 'openai/resources/chat/completions';

import { startFakeProvider, type FakeProvider } from './fake-provider.js';
import { chat, dataLines, post } from './raw-client.js';

let provider: FakeProvider;
let client: OpenAI;
let url: string;

beforeAll(async () => {
  provider = await startFakeProvider();
  client = new OpenAI({ baseURL: provider.baseUrl, apiKey: 'any', maxRetries: 0, logLevel: 'off' });
  url = `${provider.baseUrl}/chat/completions`;
});
afterEach(() => provider.reset());
afterAll(async () => provider.close());

const question = (content: string) => ({ model: 'gpt', messages: [{ role: 'user' as const, content }] });

async function streamed(content: string, includeUsage = false): Promise<ChatCompletionChunk[]> {
  const stream = await client.chat.completions.create({
    ...question(content),
    stream: true,
    ...(includeUsage ? { stream_options: { include_usage: true } } : {}),
  });
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: readonly ChatCompletionChunk[]): string =>
  chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

describe('answers of the fake OpenAI', () => {
  it('echo the last user message', async () => {
    const completion = await client.chat.completions.create(question('  one two\nthree '));
    expect(completion).toMatchObject({
      object: 'chat.completion',
      model: 'gpt',
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '  one two\nthree ' } },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 },
    });
  });

  it('include the text of content parts', async () => {
    const content = [
      { type: 'text' as const, text: 'what is ' },
      { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'text' as const, text: 'this' },
    ];
    const messages = [{ role: 'user' as const, content }];
    const completion = await client.chat.completions.create({ model: 'gpt', messages });
    expect(completion.choices[0]?.message.content).toBe('what is this');
  });

  it('stream role, deltas and finish reason with one id', async () => {
    const chunks = await streamed('one two');
    expect(chunks.map((chunk) => chunk.choices[0])).toMatchObject([
      { delta: { role: 'assistant', content: '' }, finish_reason: null },
      { delta: { content: 'one' }, finish_reason: null },
      { delta: { content: ' two' }, finish_reason: null },
      { delta: {}, finish_reason: 'stop' },
    ]);
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  it('have usage and the end marker if requested', async () => {
    const last = (await streamed('one two', true)).at(-1);
    expect(last).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 2, completion_tokens: 2, total_tokens: 4 },
    });
    const raw = await post(url, chat('x', { stream: true, stream_options: { include_usage: true } }));
    expect(raw.headers['content-type']).toMatch('text/event-stream');
    expect(dataLines(raw.text).at(-1)).toBe('[DONE]');
    expect(dataLines(raw.text)[0]).toMatch('"usage":null');
  });

  it('follow the script in every respect', async () => {
    provider.setDefault({
      kind: 'answer',
      text: ['a', 'b c'],
      reasoning: 'hm well',
      model: 'other',
      finishReason: 'length',
      usage: { prompt_tokens: 7, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 5 } },
    });
    const chunks = await streamed('x', true);
    const deltas = chunks.slice(1, -2).map((chunk) => chunk.choices[0]?.delta);
    expect(deltas).toEqual([
      { reasoning_content: 'hm' },
      { reasoning_content: ' well' },
      { content: 'a' },
      { content: 'b c' },
    ]);
    expect(chunks.at(-2)).toMatchObject({ model: 'other', choices: [{ finish_reason: 'length' }] });
    expect(chunks.at(-1)?.usage).toMatchObject({
      total_tokens: 16,
      prompt_tokens_details: { cached_tokens: 5 },
    });
    expect((await client.chat.completions.create(question('x'))).choices[0]?.message).toMatchObject({
      content: 'ab c',
      reasoning_content: 'hm well',
    });
  });

  it('can omit their usage', async () => {
    provider.script({ kind: 'answer', usage: 'none' }, { kind: 'answer', ignoreUsageRequest: true });
    expect((await client.chat.completions.create(question('x'))).usage).toBeUndefined();
    expect((await streamed('x', true)).some((chunk) => chunk.usage)).toBe(false);
  });

  it('can call tools', async () => {
    const toolCalls = [
      { name: 'clock', arguments: ['{"zone"', ':"UTC"}'] },
      { name: 'dice', arguments: '{}' },
    ];
    provider.setDefault({ kind: 'answer', toolCalls });
    const { choices } = await client.chat.completions.create(question('x'));
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    const final = await client.chat.completions.stream(question('x')).finalMessage();
    expect(final.tool_calls).toMatchObject([
      { id: 'call_0', type: 'function', function: { name: 'clock', arguments: '{"zone":"UTC"}' } },
      { id: 'call_1', type: 'function', function: { name: 'dice', arguments: '{}' } },
    ]);
    expect(choices[0]?.message.tool_calls).toMatchObject(final.tool_calls ?? []);
  });

  it('split their bytes within frames and code points', async () => {
    provider.setDefault({ kind: 'answer', text: ['grüße 👋🏽', ' 你好'], splitBytes: 3 });
    const raw = await post(url, chat('x', { stream: true }));
    expect(raw.pieces.every((piece) => piece.length <= 3)).toBe(true);
    expect(raw.pieces.some((piece) => piece.toString().includes('\uFFFD'))).toBe(true);
    expect(textOf(await streamed('x'))).toBe('grüße 👋🏽 你好');
    const { choices } = await client.chat.completions.create(question('x'));
    expect(choices[0]?.message.content).toBe('grüße 👋🏽 你好');
  });

  it('can be dripped and delayed', async () => {
    const startedAt = performance.now();
    provider.script(
      { kind: 'drip', chunkMs: 10 },
      { kind: 'drip', chunkMs: 1, unit: 'byte' },
      { kind: 'answer', delayBeforeMs: 20, delayBetweenChunksMs: 10 },
    );
    expect(textOf(await streamed('a b'))).toBe('a b');
    expect(performance.now() - startedAt).toBeGreaterThan(30);
    const raw = await post(url, chat('x', { stream: true }));
    expect(raw.pieces.every((piece) => piece.length === 1)).toBe(true);
    expect(raw.text).toMatch('"content":"x"');
    const begunAt = performance.now();
    expect(textOf(await streamed('a b'))).toBe('a b');
    expect(performance.now() - begunAt).toBeGreaterThan(50);
  });

  it('can be empty', async () => {
    provider.setDefault({ kind: 'emptyAnswer' });
    expect((await client.chat.completions.create(question('x'))).choices[0]).toMatchObject({
      message: { content: '' },
      finish_reason: 'stop',
    });
    const chunks = await streamed('x', true);
    expect(textOf(chunks)).toBe('');
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(0);
  });

  it('stay valid with comments, CRLF and data over several lines', async () => {
    provider.setDefault({ kind: 'commentsAndCrLf', text: ['a  b', '\tc'] });
    const raw = await post(url, chat('x', { stream: true }));
    expect(raw.text).toMatch(
      /^: ping\r\n\r\nevent: message\r\nid: 1\r\nretry: 3000\r\n:\r\ndata: \{\r\ndata:\t/,
    );
    expect(raw.text).not.toMatch(/[^\r]\n/);
    expect(textOf(await streamed('x'))).toBe('a  b\tc');
    const { choices } = await client.chat.completions.create(question('x'));
    expect(choices[0]?.message.content).toBe('a  b\tc');
  });
});
