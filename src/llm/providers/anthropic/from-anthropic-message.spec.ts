import { describe, expect, it } from '@jest/globals';
import { ProviderError } from '../../port/index.js';
import { readMessage, readTokenCount } from './from-anthropic-message.js';

const MESSAGE = {
  type: 'message',
  id: 'msg_1',
  model: 'claude-opus-5-5',
  role: 'assistant',
  content: [
    { type: 'thinking', thinking: 'Hm', signature: 'c2ln' },
    { type: 'text', text: 'Let me see.', citations: null },
    { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Rome' } },
    { type: 'tool_use', id: 'toolu_2', name: 'clock', input: {} },
  ],
  stop_reason: 'tool_use',
  usage: {
    input_tokens: 5,
    cache_read_input_tokens: 30,
    cache_creation_input_tokens: 6,
    output_tokens: 9,
    output_tokens_details: { thinking_tokens: 2 },
  },
};

const read = (value: unknown) =>
  readMessage(typeof value === 'string' ? value : JSON.stringify(value), { model: 'm', created: 1 });

describe('readMessage', () => {
  it('converts a message to the canonical format', () => {
    expect(read(MESSAGE)).toEqual({
      id: 'msg_1',
      object: 'chat.completion',
      created: 1,
      model: 'claude-opus-5-5',
      choices: [
        {
          index: 0,
          finish_reason: 'tool_calls',
          logprobs: null,
          message: {
            role: 'assistant',
            content: 'Let me see.',
            refusal: null,
            reasoning_content: 'Hm',
            tool_calls: [
              {
                id: 'toolu_1',
                type: 'function',
                function: { name: 'weather', arguments: '{"city":"Rome"}' },
              },
              { id: 'toolu_2', type: 'function', function: { name: 'clock', arguments: '{}' } },
            ],
            provider_data: { provider: 'anthropic', blocks: MESSAGE.content },
          },
        },
      ],
      usage: {
        prompt_tokens: 41,
        completion_tokens: 9,
        total_tokens: 50,
        prompt_tokens_details: { cached_tokens: 30, cache_write_tokens: 6 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
    });
  });

  it('keeps text with citations, which are valid only in their original position', () => {
    const content = [{ type: 'text', text: 'Rome.', citations: [{ type: 'page_location' }] }];
    const { choices } = read({ ...MESSAGE, content, stop_reason: 'end_turn' });
    expect(choices).toMatchObject([
      { finish_reason: 'stop', message: { content: 'Rome.', provider_data: { blocks: content } } },
    ]);
  });

  it.each([
    ['no JSON', 'unreadable_answer'],
    ['null', 'unreadable_answer'],
    ['{"content":[', 'broken_answer'],
    [{ ...MESSAGE, content: 'text' }, 'unreadable_answer'],
    [{ ...MESSAGE, stop_reason: null }, 'unreadable_answer'],
    [{ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'unavailable'],
  ] as const)('refuses %j as %s', (value, kind) => {
    expect(() => read(value)).toThrow(ProviderError);
    expect(() => read(value)).toThrow(expect.objectContaining({ kind }));
  });
});

describe('deviations of hosts that copy the API format', () => {
  it.each([
    ['as texts', { input_tokens: '5', output_tokens: '9' }, [5, 9]],
    ['as a fraction, a negative number and a list', { input_tokens: 1.5, output_tokens: [9] }, undefined],
    ['with one of them missing', { output_tokens: 9 }, [0, 9]],
    ['as a text', 'many', undefined],
  ])('are tolerated: usage that is %s', (_what, usage, figures) => {
    const result = read({ ...MESSAGE, usage }).usage;
    expect(result && [result.prompt_tokens, result.completion_tokens]).toEqual(figures);
  });
});

describe('readTokenCount', () => {
  it('reads a count and refuses anything else', () => {
    expect(readTokenCount('{"input_tokens":7}')).toBe(7);
    expect(readTokenCount('{"input_tokens":"7"}')).toBe(7);
    for (const text of ['{"input_tokens":-1}', '{"input_tokens":"many"}', '{}', 'no JSON'])
      expect(() => readTokenCount(text)).toThrow(ProviderError);
  });
});
