import { describe, expect, it } from '@jest/globals';
import type { CountBody } from './messages-body.js';
import { writeSeal } from './reasoning-seal.js';
import { toNativeRequest } from './to-native-request.js';

const BODY: CountBody = { messages: [{ role: 'user', content: 'Hi' }] };

const convert = (more: object, headers = {}) =>
  toNativeRequest('/v1/messages', { ...BODY, ...more }, headers);

describe('toNativeRequest', () => {
  it('passes on the body unchanged, and only the headers of the protocol', () => {
    const headers = {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': ['a', 'b'],
      'x-api-key': 'secret',
    };
    expect(convert({ novelty: 1 }, headers)).toEqual({
      protocol: 'anthropic',
      path: '/v1/messages',
      body: { ...BODY, novelty: 1 },
      headers: { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a,b' },
      nativeOnlyField: undefined,
      droppableFields: ['novelty'],
    });
  });

  it('omits unsigned and unsealed thinking, which is ours', () => {
    const sealed = { type: 'thinking', thinking: 'Hm', signature: 'c2ln' };
    const text = { type: 'text', text: 'Hi' };
    const messages = [{ role: 'assistant', content: [{ ...sealed, signature: '' }, sealed, text] }];
    expect(convert({ messages }).body).toEqual({
      messages: [{ role: 'assistant', content: [sealed, text] }],
    });
  });

  it('omits reasoning that was sealed here, and replaces ids that Anthropic refuses', () => {
    const seal = writeSeal({ provider: 'kimi', model: 'm', field: 'reasoning_content' });
    const content = [
      { type: 'thinking', thinking: 'Hm', signature: seal },
      { type: 'redacted_thinking', data: seal },
      { type: 'redacted_thinking', data: 'c2ln' },
      { type: 'tool_use', id: 'functions.f:0', name: 'f', input: {} },
    ];
    const result = { type: 'tool_result', tool_use_id: 'functions.f:0', content: '1' };
    const messages = [
      { role: 'assistant', content },
      { role: 'user', content: [result] },
    ];
    const id: unknown = expect.stringMatching(/^call_[a-zA-Z0-9]{24}$/);
    expect(convert({ messages }).body).toEqual({
      messages: [
        { role: 'assistant', content: [content[2], { ...content[3], id }] },
        { role: 'user', content: [{ ...result, tool_use_id: id }] },
      ],
    });
  });

  it.each([
    [{ tools: [{ name: 'a', input_schema: { type: 'object' } }] }, undefined],
    [{ tools: [{ name: 'a', type: 'custom' }, { type: 'bash_20250124' }] }, 'tools.1.bash_20250124'],
    [{ container: null, mcp_servers: [] }, undefined],
    [{ inference_geo: 'eu' }, 'inference_geo'],
    [
      { messages: [...BODY.messages, { role: 'assistant', content: [{ type: 'server_tool_use' }] }] },
      'messages.1.content.0.server_tool_use',
    ],
    [{ messages: [{ role: 'assistant', content: [{ type: 'image' }] }] }, 'messages.0.content.0.image'],
  ])('for %j: returns %s as the field that only this protocol supports', (more, expected) => {
    expect(convert(more).nativeOnlyField).toBe(expected);
  });
});
