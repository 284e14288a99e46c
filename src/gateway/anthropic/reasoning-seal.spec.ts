import { describe, expect, it } from '@jest/globals';
import {
  isForeignReasoning,
  readSeal,
  sealProviderData,
  readSealedData,
  writeSeal,
} from './reasoning-seal.js';

const MODEL = { provider: 'host', model: 'm', name: 'host/m' };
const seal = writeSeal({ provider: 'host', model: 'm', field: 'reasoning_content' });

describe('the seal of reasoning', () => {
  it('identifies the provider of an answer’s reasoning', () => {
    const extras = { model: 'm', reasoning: 'Hm', call_extras: [{ google: {} }] };
    const data = sealProviderData(MODEL, { provider: 'host', blocks: extras });
    const content = [
      { type: 'thinking', thinking: 'I ', signature: seal },
      { type: 'text', text: 'x' },
      { type: 'thinking', thinking: 'look.', signature: seal },
      { type: 'redacted_thinking', data },
    ];
    expect(readSealedData(content)).toEqual({
      provider: 'host',
      blocks: { model: 'm', reasoning_content: 'I look.', call_extras: [{ google: {} }] },
    });
  });

  it('is absent if the provider needs nothing but text', () => {
    expect(sealProviderData(MODEL, undefined)).toBeUndefined();
    expect(
      sealProviderData(MODEL, { provider: 'host', blocks: { model: 'm', reasoning: 'Hm' } }),
    ).toBeUndefined();
    expect(sealProviderData(MODEL, { provider: 'ollama', blocks: { thinking: 'Hm' } })).toMatch(/^parley\./);
  });

  it.each([
    'c2ln',
    '',
    'parley.',
    'parley.bm8',
    `parley.${Buffer.from('{"provider":1}').toString('base64url')}`,
    `parley.${Buffer.from('{"provider":"a","model":"m","field":"__proto__"}').toString('base64url')}`,
  ])('is not accepted in another form: %s', (text) => {
    expect(readSeal(text)).toBeUndefined();
    expect(readSealedData([{ type: 'thinking', thinking: 'x', signature: text }])).toBeUndefined();
  });

  it('distinguishes foreign reasoning from reasoning that Anthropic signed', () => {
    expect(isForeignReasoning({ type: 'thinking', signature: seal })).toBe(true);
    expect(isForeignReasoning({ type: 'thinking', signature: '' })).toBe(true);
    expect(isForeignReasoning({ type: 'thinking', signature: 'c2ln' })).toBe(false);
    expect(isForeignReasoning({ type: 'redacted_thinking', data: seal })).toBe(true);
    expect(isForeignReasoning({ type: 'redacted_thinking', data: 'c2ln' })).toBe(false);
    expect(isForeignReasoning({ type: 'text' })).toBe(false);
  });
});
