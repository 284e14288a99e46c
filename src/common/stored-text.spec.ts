import { describe, expect, it } from '@jest/globals';
import { stripNul, toStorableJson } from './stored-text.js';

describe('stripNul', () => {
  it.each([
    ['', ''],
    ['Grüße 你好 🚀', 'Grüße 你好 🚀'],
    ['a\0b\0', 'ab'],
  ])('converts %j to %j', (text, expected) => {
    expect(stripNul(text)).toBe(expected);
  });
});

describe('toStorableJson', () => {
  it.each([
    ['a text', 'a\0b\ud800', 'ab\ufffd'],
    ['an entry of a list', [['\0', 1, null]], [['', 1, null]]],
    ['a value of an object', { outer: { inner: 'x\0' } }, { outer: { inner: 'x' } }],
    ['a name of an object', { 'a\0b': { 'c\udc00': [{ '\0': 1 }] } }, { ab: { 'c\ufffd': [{ '': 1 }] } }],
  ])('removes characters that cannot be stored from %s', (_what, value, expected) => {
    expect(JSON.parse(toStorableJson(value))).toEqual(expected);
  });

  it('preserves the order of keys, and serializes dates like JSON', () => {
    expect(toStorableJson({ b: new Date(0), a: undefined, c: true })).toBe(
      '{"b":"1970-01-01T00:00:00.000Z","c":true}',
    );
  });
});
