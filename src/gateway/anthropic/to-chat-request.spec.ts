import { describe, expect, it } from '@jest/globals';
import type { MessagesBody } from './messages-body.js';
import { toChatRequest } from './to-chat-request.js';

const TOOL = { name: 'clock', description: 'The time.', input_schema: { type: 'object' as const } };
const PNG = { type: 'base64', media_type: 'image/png', data: 'AAAA' } as const;

function convert(more: Partial<MessagesBody> = {}) {
  return toChatRequest({ max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }], ...more });
}

const messagesOf = (messages: MessagesBody['messages']) => convert({ messages }).messages;

describe('toChatRequest (messages)', () => {
  it('begins with the system prompt, whether it is a string or blocks', () => {
    const hello = { role: 'user', content: 'Hi' };
    expect(convert().messages).toEqual([hello]);
    expect(convert({ system: '' }).messages).toEqual([hello]);
    expect(convert({ system: 'Be brief.' }).messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      hello,
    ]);
    const system = ['Be brief.', 'Be kind.'].map((text) => ({ type: 'text' as const, text }));
    expect(convert({ system }).messages[0]).toEqual({ role: 'system', content: 'Be brief.\n\nBe kind.' });
    expect(messagesOf([{ role: 'system', content: 'Later.' }])).toEqual([
      { role: 'system', content: 'Later.' },
    ]);
  });

  it('converts texts and images', () => {
    const content = [
      { type: 'text' as const, text: 'What?' },
      { type: 'image' as const, source: PNG },
      { type: 'image' as const, source: { type: 'url' as const, url: 'https://example.com/a.png' } },
    ];
    expect(messagesOf([{ role: 'user', content }])).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        ],
      },
    ]);
  });

  it('puts tool results first, as separate messages, and their images after them', () => {
    expect(
      messagesOf([
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'a',
              content: [
                { type: 'text', text: 'one' },
                { type: 'text', text: 'two' },
                { type: 'image', source: PNG },
              ],
            },
            { type: 'tool_result', tool_use_id: 'b', is_error: true },
            { type: 'tool_result', tool_use_id: 'c', content: 'three' },
            { type: 'text', text: 'Go on.' },
          ],
        },
      ]),
    ).toEqual([
      { role: 'tool', tool_call_id: 'a', content: 'one\ntwo' },
      { role: 'tool', tool_call_id: 'b', content: 'The tool failed.' },
      { role: 'tool', tool_call_id: 'c', content: 'three' },
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'text', text: 'Go on.' },
        ],
      },
    ]);
  });

  it('converts tool calls, and keeps the thinking for its provider', () => {
    const content = [
      { type: 'thinking' as const, thinking: 'Hm', signature: 'c2ln' },
      { type: 'text' as const, text: 'See:' },
      { type: 'tool_use' as const, id: 'a', name: 'clock', input: { zone: 'UTC' } },
    ];
    const call = { id: 'a', type: 'function', function: { name: 'clock', arguments: '{"zone":"UTC"}' } };
    expect(messagesOf([{ role: 'assistant', content }])).toEqual([
      {
        role: 'assistant',
        content: 'See:',
        tool_calls: [call],
        provider_data: { provider: 'anthropic', blocks: content },
      },
    ]);
    expect(messagesOf([{ role: 'assistant', content: content.slice(2) }])).toEqual([
      { role: 'assistant', content: null, tool_calls: [call] },
    ]);
  });
});

describe('toChatRequest (parameters)', () => {
  it('uses the names of the canonical format', () => {
    expect(
      convert({ temperature: 0.5, top_p: 0.9, stop_sequences: ['END'], metadata: { user_id: 'u' } }),
    ).toEqual({
      messages: [{ role: 'user', content: 'Hi' }],
      max_completion_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      stop: ['END'],
      user: 'u',
    });
    expect(convert({ stop_sequences: [], metadata: { user_id: null }, temperature: null })).toEqual(
      convert(),
    );
  });

  it.each([
    [{ thinking: { type: 'enabled', budget_tokens: 1024 } }, 'low'],
    [{ thinking: { type: 'enabled', budget_tokens: 4096 } }, 'medium'],
    [{ thinking: { type: 'enabled', budget_tokens: 12_288 } }, 'high'],
    [{ thinking: { type: 'adaptive' }, output_config: { effort: 'max' } }, 'max'],
    [{ thinking: { type: 'adaptive' } }, undefined],
    [{ thinking: { type: 'disabled' } }, undefined],
  ] as const)('converts %j to the effort %s', (more, effort) => {
    expect(convert(more).reasoning_effort).toBe(effort);
  });

  it('requests a schema if the answer has to match one', () => {
    const schema = { type: 'object' };
    const format = { type: 'json_schema' as const, schema };
    const expected = { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema } };
    expect(convert({ output_config: { format } }).response_format).toEqual(expected);
    expect(convert({ output_format: format }).response_format).toEqual(expected);
    expect(convert({ output_config: { format: null } })).not.toHaveProperty('response_format');
  });

  it.each([
    [{ type: 'auto' }, 'auto'],
    [{ type: 'any' }, 'required'],
    [{ type: 'none' }, 'none'],
    [
      { type: 'tool', name: 'clock' },
      { type: 'function', function: { name: 'clock' } },
    ],
  ] as const)('converts the tool choice: %j', (tool_choice, expected) => {
    const { tools, tool_choice: choice } = convert({ tools: [TOOL], tool_choice });
    expect(choice).toEqual(expected);
    expect(tools).toEqual([
      {
        type: 'function',
        function: { name: 'clock', description: 'The time.', parameters: { type: 'object' } },
      },
    ]);
    expect(convert({ tool_choice })).toEqual(convert());
  });

  it('forbids parallel calls only if there are tools to call', () => {
    const tool_choice = { type: 'auto', disable_parallel_tool_use: true } as const;
    expect(convert({ tools: [TOOL], tool_choice })).toHaveProperty('parallel_tool_calls', false);
    expect(convert({ tool_choice })).not.toHaveProperty('parallel_tool_calls');
  });
});
