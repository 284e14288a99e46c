import { describe, expect, it } from '@jest/globals';
import { normalizeEmail, storedEmailForms } from './email-address.js';

describe('normalizeEmail', () => {
  it.each([
    ['Ada@Example.com', 'ada@example.com'],
    ['ａｄａ@example.com', 'ada@example.com'],
    ['ＡＤＡ@example.com', 'ada@example.com'],
    ['𝐀da@example.com', 'ada@example.com'],
    ['e\u0301ve@example.com', 'éve@example.com'],
    ['𝐄\u0301ve@example.com', 'éve@example.com'],
  ])('normalizes %s to %s', (typed, normalized) => {
    expect(normalizeEmail(typed)).toBe(normalized);
  });

  it('changes nothing when applied twice, for any character', () => {
    for (let code = 0; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const once = normalizeEmail(`a${String.fromCodePoint(code)}\u0301@example.com`);
      if (normalizeEmail(once) !== once) throw new Error(`U+${code.toString(16)} is normalized differently`);
    }
    expect.assertions(0);
  });
});

it('an address is looked up as it was typed before its normalized form', () => {
  expect(storedEmailForms('Ａda@example.com')).toEqual(['ａda@example.com', 'ada@example.com']);
  expect(storedEmailForms('Ada@example.com')).toEqual(['ada@example.com']);
});
