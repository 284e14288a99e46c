import { describe, expect, it } from '@jest/globals';
import type { ChatMessage } from '../../port/index.js';
import { toOllamaMessages } from './ollama-messages.js';

/** The messages in serialized form: undefined fields are not sent. */
const messagesOf = (...messages: ChatMessage[]): unknown =>
  JSON.parse(JSON.stringify(toOllamaMessages(messages)));

const refusal = (reason: RegExp): unknown =>
  expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(reason) });

describe('toOllamaMessages', () => {
  it('joins texts, and sends developer messages as system messages', () => {
    expect(
      messagesOf(
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'Be ' },
            { type: 'text', text: 'brief.' },
          ],
        },
        { role: 'system', content: 'And kind.' },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
        { role: 'assistant', content: null, refusal: 'Never.' },
      ),
    ).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'system', content: 'And kind.' },
      { role: 'assistant', content: 'No.' },
      { role: 'assistant', content: 'Never.' },
    ]);
  });

  it.each([null, undefined])('sends a user message whose content is %s as an empty one', (content) => {
    const empty: object = { content };
    expect(messagesOf({ role: 'user', content: '', ...empty })).toEqual([{ role: 'user', content: '' }]);
  });

  it('extracts images from their data URLs', () => {
    const image = (url: string): ChatMessage => ({
      role: 'user',
      content: [
        { type: 'text', text: 'What is ' },
        { type: 'image_url', image_url: { url } },
        { type: 'text', text: 'this?' },
      ],
    });
    expect(messagesOf(image('data:image/png;base64,iVBORw0KGgo='))).toEqual([
      { role: 'user', content: 'What is this?', images: ['iVBORw0KGgo='] },
    ]);
    expect(() => messagesOf(image('https://example.com/a.png'))).toThrow(
      refusal(/'https:\/\/example.com\/a.png'/),
    );
    expect(() => messagesOf(image('data:image/svg+xml,<svg/>'))).toThrow(refusal(/base64 data URLs/));
    expect(() => messagesOf(image(`http://${'x'.repeat(9999)}`))).toThrow(refusal(/^.{50,200}$/));
  });

  it('refuses other kinds of content, and names them', () => {
    const audio: ChatMessage = {
      role: 'user',
      content: [{ type: 'input_audio', input_audio: { data: '', format: 'wav' } }],
    };
    expect(() => messagesOf(audio)).toThrow(refusal(/type 'input_audio'/));
    const reference: ChatMessage = { role: 'assistant', content: null, audio: { id: 'audio_1' } };
    expect(() => messagesOf(reference)).toThrow(refusal(/not support audio/));
  });

  const call = (text: string): ChatMessage => ({
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: text } }],
  });

  it('converts tool calls and their results', () => {
    expect(
      messagesOf(
        call('{"city":"Tokyo"}'),
        { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: '11 °C' }] },
        { role: 'tool', tool_call_id: 'call_unknown', content: 'x' },
        { role: 'function', name: 'old', content: null },
      ),
    ).toEqual([
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'call_1', function: { name: 'weather', arguments: { city: 'Tokyo' } } }],
      },
      { role: 'tool', content: '11 °C', tool_name: 'weather', tool_call_id: 'call_1' },
      { role: 'tool', content: 'x', tool_call_id: 'call_unknown' },
      { role: 'tool', content: '', tool_name: 'old' },
    ]);
    expect(messagesOf(call(' '))).toMatchObject([{ tool_calls: [{ function: { arguments: {} } }] }]);
  });

  it.each(['{"city":', '[]', '"x"', 'null'])('refuses arguments that are not an object: %s', (text) => {
    expect(() => messagesOf(call(text))).toThrow(refusal(/'weather' are not a JSON object/));
  });

  it('refuses tool calls that are not functions', () => {
    const custom: ChatMessage = {
      role: 'assistant',
      tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'x', input: '' } }],
    };
    expect(() => messagesOf(custom)).toThrow(refusal(/type 'custom'/));
  });

  it('returns thinking to Ollama, and drops data of other providers', () => {
    const answer = (provider: string, blocks: unknown): ChatMessage => ({
      role: 'assistant',
      content: 'x',
      provider_data: { provider, blocks },
    });
    expect(messagesOf(answer('ollama', { thinking: 'hm' }))).toEqual([
      { role: 'assistant', content: 'x', thinking: 'hm' },
    ]);
    const plain = [{ role: 'assistant', content: 'x' }];
    expect(messagesOf(answer('anthropic', { thinking: 'hm' }))).toEqual(plain);
    expect(messagesOf(answer('ollama', null))).toEqual(plain);
    expect(messagesOf(answer('ollama', { thinking: 7 }))).toEqual(plain);
  });
});
