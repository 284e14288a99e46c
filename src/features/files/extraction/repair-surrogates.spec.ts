import { describe, expect, it } from '@jest/globals';
import { countPartialSurrogate, repairSurrogates } from './repair-surrogates.js';

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('bytes that are to be UTF-8', () => {
  it.each([
    ['a lone surrogate', '61 eda080 62', 'a\ufffdb'],
    ['a lone surrogate that follows others', 'edb080 eda080 eda080 edb080', '\ufffd\ufffd\u{10000}'],
    ['a pair', 'eda0bd edb880 61', '\u{1f600}a'],
    ['syllables that begin with the same byte', 'ed959c eab880 eda080', '한글\ufffd'],
    ['nothing', '', ''],
  ])('are UTF-8 after the repair of %s', (_what, hex, expected) => {
    expect(Buffer.from(repairSurrogates(bytesOf(hex))).toString()).toBe(expected);
  });

  it.each(['61 e9 62', '61 eda0', '61 ed', 'ff eda0', 'ed9fbf', 'eda0c0'])(
    'stay as they are without surrogates: %s',
    (hex) => {
      const bytes = bytesOf(hex);
      expect(repairSurrogates(bytes)).toBe(bytes);
    },
  );

  it('are not changed in the memory of the caller', () => {
    const received = bytesOf('61 eda080');
    repairSurrogates(received);
    expect(received).toEqual(bytesOf('61 eda080'));
  });

  it.each([
    ['61', 0],
    ['', 0],
    ['61 ed', 1],
    ['61 eda0', 2],
    ['61 ed95', 0],
    ['eda080', 0],
    ['eda0 61', 0],
  ])('that end with %s may end with part of a surrogate, whose length is %i', (hex, count) => {
    expect(countPartialSurrogate(bytesOf(hex))).toBe(count);
  });
});
