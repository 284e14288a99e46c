import { describe, expect, it } from '@jest/globals';
import type { ChatCompletion, ModelAnswer } from '../../llm/index.js';
import { toMessage } from './to-message.js';

type Choice = ChatCompletion['choices'][number];

const USAGE = { inputTokens: 4, outputTokens: 1, cachedTokens: 9, cacheWriteTokens: 0, reasoningTokens: 0 };

function answerOf(message: Partial<Choice['message']>, more: Partial<Choice> = {}): ModelAnswer {
  return {
    model: { provider: 'host', model: 'm', name: 'host/m' },
    ignored: [],
    completion: {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [
        {
          index: 0,
          finish_reason: 'stop',
          logprobs: null,
          message: { role: 'assistant', content: null, refusal: null, ...message },
          ...more,
        },
      ],
    },
    usage: USAGE,
    attempts: [],
  };
}

const call = (text: string, id = 'a') => ({
  id,
  type: 'function' as const,
  function: { name: 'clock', arguments: text },
});

describe('toMessage', () => {
  it('returns thinking, text and calls, each as a block', () => {
    const reasoning = { reasoning_content: 'Hm' };
    const message = { ...reasoning, content: 'See:', tool_calls: [call('{"zone":"UTC"}'), call('{"zo', '')] };
    expect(toMessage(answerOf(message))).toMatchObject({
      id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
      model: 'host/m',
      stop_reason: 'tool_use',
      content: [
        { type: 'thinking', thinking: 'Hm', signature: expect.stringMatching(/^parley\./) },
        { type: 'text', text: 'See:' },
        { type: 'tool_use', id: 'a', name: 'clock', input: { zone: 'UTC' } },
        { type: 'tool_use', id: expect.stringMatching(/^toolu_/), name: 'clock', input: {} },
      ],
    });
  });

  it('returns no block for an empty answer, and no negative figures', () => {
    const { content, usage, stop_reason } = toMessage(answerOf({}));
    expect([content, stop_reason]).toEqual([[], 'end_turn']);
    expect(usage).toMatchObject({ input_tokens: 0, cache_read_input_tokens: 9 });
  });

  it('reports a refusal', () => {
    expect(toMessage(answerOf({ refusal: 'No.' }))).toMatchObject({
      content: [{ type: 'text', text: 'No.' }],
      stop_reason: 'refusal',
      stop_details: { explanation: 'No.' },
    });
  });

  it('returns an empty object for call arguments that are not an object', () => {
    expect(toMessage(answerOf({ tool_calls: [call('7')] })).content).toMatchObject([
      { type: 'tool_use', input: {} },
    ]);
  });

  it('omits custom calls, which the protocol has no block for', () => {
    const custom = { id: 'b', type: 'custom' as const, custom: { name: 'g', input: 'x' } };
    expect(toMessage(answerOf({ content: 'See:', tool_calls: [custom] })).content).toEqual([
      { type: 'text', text: 'See:' },
    ]);
  });

  it('seals the data that the provider needs back with the tool results', () => {
    const provider_data = { provider: 'host', blocks: [{ signature: 'of the host' }] };
    expect(toMessage(answerOf({ tool_calls: [call('{}')], ...{ provider_data } })).content.at(-1)).toEqual({
      type: 'redacted_thinking',
      data: expect.stringMatching(/^parley\./),
    });
    expect(toMessage(answerOf({ content: 'Hi', ...{ provider_data } })).content).toEqual([
      { type: 'text', text: 'Hi' },
    ]);
  });

  it('returns an empty message with an end if there are no choices', () => {
    const answer = answerOf({});
    const completion = { ...answer.completion, choices: [] };
    expect(toMessage({ ...answer, completion })).toMatchObject({ content: [], stop_reason: 'end_turn' });
  });
});
