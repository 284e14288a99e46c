import { describe, expect, it } from '@jest/globals';
import { AnswerMeter } from './answer-meter.js';
import type { ChatChunk } from './port/index.js';

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

describe('AnswerMeter', () => {
  it('takes the figures of the provider', () => {
    const meter = new AnswerMeter(REQUEST);
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

  it('counts for itself where there are none, reasoning and tool calls included', () => {
    const meter = new AnswerMeter(REQUEST);
    meter.add(chunk({ reasoning_content: 'think think' }));
    meter.add(chunk({ content: 'Hello' }));
    meter.add(chunk({ tool_calls: [{ index: 0, function: { name: 'look', arguments: '{}' } }] }));
    const { usage, estimated } = meter.usage();
    expect(estimated).toBe(true);
    expect(usage.inputTokens).toBe(6);
    expect(usage.reasoningTokens).toBe(2);
    expect(usage.outputTokens).toBeGreaterThan(usage.reasoningTokens + 1);
  });

  it('has used nothing before anything came', () => {
    expect(new AnswerMeter(REQUEST).usage().usage).toMatchObject({ inputTokens: 0, outputTokens: 0 });
  });

  it('takes no figure that is none', () => {
    const meter = new AnswerMeter(REQUEST);
    meter.add(chunk({}, { usage: { prompt_tokens: -1, completion_tokens: 1.5, total_tokens: Number.NaN } }));
    expect(meter.usage().usage).toMatchObject({ inputTokens: 0, outputTokens: 0 });
  });

  it('an empty first chunk is no beginning of an answer', () => {
    const meter = new AnswerMeter(REQUEST);
    meter.add(chunk({ role: 'assistant', content: '' }));
    expect(meter.begun).toBe(false);
    meter.add(chunk({ reasoning: 'hm' }));
    expect(meter.begun).toBe(true);
  });
});
