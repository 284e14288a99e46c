import { describe, expect, it } from '@jest/globals';
import { UsageMeter, countRequest } from './usage-meter.js';
import type { AnswerMessage, ChatChunk, ChatCompletion, ChatMessage } from '../port/index.js';

const REQUEST = { messages: [{ role: 'user' as const, content: 'Hello there' }] };

function chunk(delta: object, more: Partial<ChatChunk> = {}): ChatChunk {
  return {
    id: 'c',
    created: 1,
    model: 'm',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: null }],
    ...more,
  };
}

describe('UsageMeter', () => {
  it('reports the figures of the provider', () => {
    const meter = new UsageMeter(REQUEST);
    meter.add(chunk({ content: 'Hi' }));
    meter.add(
      chunk(
        {},
        {
          choices: [],
          usage: {
            prompt_tokens: 9,
            completion_tokens: 5,
            total_tokens: 14,
            prompt_tokens_details: { cached_tokens: 4 },
            completion_tokens_details: { reasoning_tokens: 3 },
          },
        },
      ),
    );
    expect(meter.usage()).toEqual({
      usage: { inputTokens: 9, outputTokens: 5, cachedTokens: 4, cacheWriteTokens: 0, reasoningTokens: 3 },
      estimated: false,
    });
  });

  it('counts the tokens itself if the provider reports none, including reasoning and tool calls', () => {
    const meter = new UsageMeter(REQUEST);
    meter.add(chunk({ reasoning_content: 'think think' }));
    meter.add(chunk({ content: 'Hello' }));
    meter.add(chunk({ tool_calls: [{ index: 0, function: { name: 'look', arguments: '{}' } }] }));
    const { usage, estimated } = meter.usage();
    expect(estimated).toBe(true);
    expect(usage.inputTokens).toBe(6);
    expect(usage.reasoningTokens).toBe(2);
    expect(usage.outputTokens).toBeGreaterThan(usage.reasoningTokens + 1);
  });

  it('reports no usage before any chunk has arrived', () => {
    expect(new UsageMeter(REQUEST).usage().usage).toMatchObject({ inputTokens: 0, outputTokens: 0 });
  });

  it('ignores a figure that is not a valid number', () => {
    const meter = new UsageMeter(REQUEST);
    meter.add(chunk({}, { usage: { prompt_tokens: -1, completion_tokens: 1.5, total_tokens: Number.NaN } }));
    expect(meter.usage().usage).toMatchObject({ inputTokens: 0, outputTokens: 0 });
  });

  it('does not take an empty first chunk for the beginning of an answer', () => {
    const meter = new UsageMeter(REQUEST);
    meter.add(chunk({ role: 'assistant', content: '' }));
    expect(meter.hasOutput).toBe(false);
    meter.add(chunk({ reasoning: 'hm' }));
    expect(meter.hasOutput).toBe(true);
  });

  it('ignores a figure that exceeds what any model can use, and counts the tokens itself', () => {
    const meter = new UsageMeter(REQUEST);
    const usage = { prompt_tokens: 2_000_000_000, completion_tokens: 1, total_tokens: 2_000_000_001 };
    meter.add(chunk({ content: 'Hello' }, { usage }));
    meter.addPartialUsage(usage);
    expect(meter.usage()).toMatchObject({ usage: { inputTokens: 6, outputTokens: 1 }, estimated: true });
  });

  it('keeps the input tokens that the provider reported before the answer broke off', () => {
    const meter = new UsageMeter(REQUEST);
    meter.addPartialUsage({ prompt_tokens: 50, completion_tokens: 1, total_tokens: 51 });
    meter.add(chunk({ content: 'Hello there, you' }));
    const { usage, estimated } = meter.usage();
    expect([usage.inputTokens, estimated]).toEqual([50, true]);
    expect(usage.outputTokens).toBeGreaterThan(1);
  });

  it('counts a call without name or arguments, and keeps the finish reason of the first choice', () => {
    const meter = new UsageMeter(REQUEST);
    meter.add(chunk({ tool_calls: [{ index: 0 }] }, {}));
    meter.add(chunk({}, { choices: [{ index: 1, delta: {}, finish_reason: 'length' }] }));
    expect(meter.finishReason).toBeNull();
    meter.add(chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }));
    expect([meter.calledTools, meter.finishReason]).toEqual([true, 'tool_calls']);
  });

  describe('UsageMeter of a whole answer', () => {
    const whole = (message: Partial<AnswerMessage>, more: Partial<ChatCompletion> = {}): ChatCompletion => ({
      ...{ id: 'c', object: 'chat.completion', created: 1, model: 'm' },
      choices: [
        {
          ...{ index: 0, finish_reason: 'stop', logprobs: null },
          message: { role: 'assistant', content: null, refusal: null, ...message },
        },
      ],
      ...more,
    });
    const usageOf = (completion: ChatCompletion) => {
      const meter = new UsageMeter(REQUEST);
      meter.addCompletion(completion);
      return meter.usage();
    };

    it('reports the figures of the provider, unless they exceed what any model can use', () => {
      const usage = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
      expect(usageOf(whole({ content: 'Hi' }, { usage }))).toMatchObject({
        usage: { inputTokens: 9, outputTokens: 5 },
        estimated: false,
      });
      const absurd = { ...usage, completion_tokens: 2_000_000_000 };
      expect(usageOf(whole({ content: 'Hi' }, { usage: absurd }))).toMatchObject({
        usage: { inputTokens: 6, outputTokens: 1 },
        estimated: true,
      });
    });

    it('counts tool calls, which are output too', () => {
      const call = { id: 'a', type: 'function' as const, function: { name: 'get_weather', arguments: '{}' } };
      const custom = { id: 'b', type: 'custom' as const, custom: { name: 'g', input: 'x' } };
      expect(usageOf(whole({ tool_calls: [call] })).usage.outputTokens).toBeGreaterThan(1);
      expect(usageOf(whole({ tool_calls: [custom] })).usage.outputTokens).toBe(0);
    });
  });
});

describe('the token estimate of a request', () => {
  const image = { type: 'image_url' as const, image_url: { url: 'https://example.com/a.png' } };
  const fileOf = (file_data: string) => ({ type: 'file' as const, file: { file_data } });
  const tool = { type: 'function' as const, function: { name: 'get_weather', parameters: {} } };
  const tool_calls = [{ id: 'a', type: 'function' as const, function: { name: 'f', arguments: '{"n":1}' } }];
  const of = (message: ChatMessage): number => countRequest({ messages: [message] });
  const EMPTY = of({ role: 'user', content: '' });

  it.each<[string, ChatMessage]>([
    ['text in parts', { role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    ['an image', { role: 'user', content: [image] }],
    ['a PDF file', { role: 'user', content: [fileOf(`data:application/pdf;base64,${'A'.repeat(4_000)}`)] }],
    ['a file of text', { role: 'user', content: [fileOf(`data:text/plain;base64,${'A'.repeat(4_000)}`)] }],
    ['calls of tools', { role: 'assistant', tool_calls }],
  ])('counts %s', (_what, message) => {
    expect(of(message)).toBeGreaterThan(EMPTY);
  });

  it.each<[string, ChatMessage]>([
    ['nothing but its role', { role: 'assistant' }],
    [
      'a file that the provider has already',
      { role: 'user', content: [{ type: 'file', file: { file_id: 'f' } }] },
    ],
  ])('adds nothing for a message that contains %s', (_what, message) => {
    expect(of(message)).toBe(EMPTY);
  });

  it('counts the definitions of tools', () => {
    const messages = [{ role: 'user' as const, content: '' }];
    expect(countRequest({ messages, tools: [tool] })).toBeGreaterThan(EMPTY);
    expect(countRequest({ messages, tools: [] })).toBe(EMPTY);
  });
});
