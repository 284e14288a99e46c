import { describe, expect, it } from '@jest/globals';
import { normalizeText } from './normalize-text.js';

describe('normalizeText', () => {
  it.each([
    ['composes characters', 'e\u0301', '\u00e9'],
    ['removes NUL', 'a\0b\0', 'ab'],
    ['replaces lone surrogates', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
    ['leaves pairs of surrogates', '\u{1f600}', '\u{1f600}'],
    ['joins a pair that NUL separates', '\ud83d\0\ude00', '\u{1f600}'],
    ['ends lines with LF', 'a\r\nb\rc', 'a\nb\nc'],
    ['removes a byte order mark at the beginning', '\ufeffa\ufeff', 'a\ufeff'],
  ])('%s', (_what, text, expected) => {
    expect(normalizeText(text)).toBe(expected);
  });
});
