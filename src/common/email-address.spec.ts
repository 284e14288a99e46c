import { describe, expect, it } from '@jest/globals';
import { normalizeEmail, storedEmailForms } from './email-address.js';

describe('a normalised email address', () => {
  it.each([
    ['Ada@Example.com', 'ada@example.com'],
    ['ａｄａ@example.com', 'ada@example.com'],
    ['ＡＤＡ@example.com', 'ada@example.com'],
    ['𝐀da@example.com', 'ada@example.com'],
    ['e\u0301ve@example.com', 'éve@example.com'],
    ['𝐄\u0301ve@example.com', 'éve@example.com'],
  ])('of %s is %s', (typed, normalised) => {
    expect(normalizeEmail(typed)).toBe(normalised);
  });

  it('is not changed by normalising it again, whatever character it has', () => {
    for (let code = 0; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const once = normalizeEmail(`a${String.fromCodePoint(code)}\u0301@example.com`);
      if (normalizeEmail(once) !== once) throw new Error(`U+${code.toString(16)} is normalised differently`);
    }
    expect.assertions(0);
  });
});

it('an address is looked up as it was typed before it is looked up normalised', () => {
  expect(storedEmailForms('Ａda@example.com')).toEqual(['ａda@example.com', 'ada@example.com']);
  expect(storedEmailForms('Ada@example.com')).toEqual(['ada@example.com']);
});
