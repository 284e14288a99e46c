import { describe, expect, it } from '@jest/globals';
import { ProviderError, type ProviderEvent } from '../../port/index.js';
import { ChatStreamReader } from './chat-stream-reader.js';

/** Recorded from a Chat Completions stream with `include_usage`, shortened. */
const RECORDED = [
  '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}',
  '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}],"usage":null}',
  '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}',
  '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}',
  '[DONE]',
];

function read(frames: readonly string[]): Promise<ProviderEvent[]> {
  const reader = new ChatStreamReader();
  // Inside a promise, so that a failure is a rejection wherever it comes from.
  return Promise.resolve().then(() => [
    ...frames.flatMap((frame) => [...reader.push(new TextEncoder().encode(`data: ${frame}\n\n`))]),
    ...reader.end(),
  ]);
}

async function failureOf(frames: readonly string[]): Promise<ProviderError> {
  const error: unknown = await read(frames).catch((thrown: unknown) => thrown);
  if (error instanceof ProviderError) return error;
  throw new Error('The stream was expected to fail with a ProviderError.');
}

describe('ChatStreamReader', () => {
  it('passes recorded chunks on unchanged', async () => {
    const events = await read(RECORDED);
    expect(events).toEqual(
      RECORDED.slice(0, 4).map((frame) => ({
        type: 'chunk',
        chunk: JSON.parse(frame) as unknown,
        raw: frame,
      })),
    );
  });

  it('accepts a finish reason without [DONE] as the end', async () => {
    expect(await read(RECORDED.slice(0, 4))).toHaveLength(4);
  });

  it('accepts [DONE] without a finish reason as the end', async () => {
    const events = await read([...RECORDED.slice(0, 2), '[DONE]']);
    expect(events.at(-1)).toMatchObject({
      type: 'chunk',
      chunk: { id: 'chatcmpl-1', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    });
  });

  it.each([null, ''])('adds the finish reason of tool calls if the host sends %j', async (finish_reason) => {
    const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
    const call = { index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };
    const choices = [{ index: 0, delta: { tool_calls: [call] }, finish_reason }];
    const events = await read([JSON.stringify({ ...head, choices }), '[DONE]']);
    expect(events.at(-1)).toMatchObject({ chunk: { choices: [{ finish_reason: 'tool_calls' }] } });
  });

  it('skips and reports an event that it cannot read', async () => {
    const broken = ['{"id":', '42', '{"object":"other"}', '{"choices":[7]}'];
    const events = await read([RECORDED[0] ?? '', ...broken, ...RECORDED.slice(1)]);
    expect(events.filter(({ type }) => type === 'skipped')).toHaveLength(4);
    expect(events.filter(({ type }) => type === 'chunk')).toHaveLength(4);
  });

  it.each([
    ['without a finish reason', RECORDED.slice(0, 2)],
    ['with [DONE] but without text and a finish reason', [...RECORDED.slice(0, 1), '[DONE]']],
    [
      'with [DONE] inside the arguments of a tool call',
      [
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}]}',
        '[DONE]',
      ],
    ],
    ['with nothing in it', []],
    [
      'with one of two choices unfinished',
      [RECORDED[2] ?? '', '{"choices":[{"index":1,"delta":{"content":"x"}}]}', '[DONE]'],
    ],
  ])('reports a stream %s as broken, even if it closed cleanly', async (_name, frames) => {
    expect((await failureOf(frames)).kind).toBe('broken_answer');
  });

  it('reports an error inside the stream', async () => {
    const plain = await failureOf([
      RECORDED[1] ?? '',
      '{"error":{"message":"overloaded","type":"server_error","code":null}}',
    ]);
    expect([plain.kind, plain.message]).toEqual(['unavailable', 'overloaded']);
    const limited = await failureOf(['{"error":{"message":"slow down","code":"rate_limit_exceeded"}}']);
    expect(limited.kind).toBe('rate_limited');
  });
});
