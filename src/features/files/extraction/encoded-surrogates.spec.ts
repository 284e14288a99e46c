import { describe, expect, it } from '@jest/globals';
import { decodeUtf8WithHalves, SurrogateReplacement } from './encoded-surrogates.js';

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

describe('text in UTF-8', () => {
  it.each([
    ['a half of a pair', '61 eda080 62', 'a\ud800b'],
    ['both halves of a pair', 'eda0bd edb880', '\u{1f600}'],
    ['a byte order mark at its beginning only', 'efbbbf 61 edb080 efbbbf', 'a\udc00\ufeff'],
    ['syllables that begin with the same byte', 'ed959c ea b8 80', '한글'],
    ['nothing', '', ''],
  ])('may have %s', (_what, hex, expected) => {
    expect(decodeUtf8WithHalves(bytesOf(hex), { complete: true })).toBe(expected);
  });

  it.each([
    ['a byte of another encoding', '61 e9 62'],
    ['one after a half of a pair', 'eda080 ff'],
    ['one before a half of a pair', 'ff eda080'],
    ['only the beginning of a half', '61 eda0'],
  ])('does not have %s', (_what, hex) => {
    expect(decodeUtf8WithHalves(bytesOf(hex), { complete: true })).toBeNull();
  });

  it.each(['61 ed', '61 eda0', '61 c3'])('may end inside a character: %s', (hex) => {
    expect(decodeUtf8WithHalves(bytesOf(hex))).toBe('a');
  });
});

describe('a stream', () => {
  const text = bytesOf('61 eda080 ed959c edb0bf 62 ed9f bf');
  const wanted = bytesOf('61 efbfbd ed959c efbfbd 62 ed9f bf');

  it('has U+FFFD for each half of a pair, wherever it is divided', () => {
    for (let first = 0; first <= text.length; first += 1) {
      for (let second = first; second <= text.length; second += 1) {
        const replacement = new SurrogateReplacement();
        const pieces = [text.subarray(0, first), text.subarray(first, second), text.subarray(second)];
        const replaced = [...pieces.map((piece) => replacement.replace(piece)), replacement.replace()];
        expect(Buffer.concat(replaced).toString('hex')).toBe(wanted.toString('hex'));
      }
    }
  });

  it('keeps what it received unchanged, because the caller stores it', () => {
    const received = Buffer.from(text);
    new SurrogateReplacement().replace(received);
    expect(received).toEqual(text);
  });

  it('loses nothing that only begins as a half', () => {
    const replacement = new SurrogateReplacement();
    const replaced = [replacement.replace(bytesOf('61 eda0')), replacement.replace()];
    expect(Buffer.concat(replaced)).toEqual(bytesOf('61 eda0'));
  });
});
