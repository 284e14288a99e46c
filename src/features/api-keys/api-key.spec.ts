import { describe, expect, it } from '@jest/globals';
import { hashApiKey, isWellWritten, looksLikeApiKey, newApiKey, prefixOf } from './api-key.js';

describe('an API key', () => {
  it('is written well, always in one length, and never twice the same', () => {
    const keys = Array.from({ length: 500 }, newApiKey);
    for (const key of keys) {
      expect(key).toMatch(/^pk_[0-9A-Za-z]{49}$/);
      expect(isWellWritten(key)).toBe(true);
      expect(looksLikeApiKey(key)).toBe(true);
    }
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(keys.map((key) => hashApiKey(key).join())).size).toBe(keys.length);
  });

  it('with one character changed, anywhere, is found out', () => {
    const key = newApiKey();
    for (let place = 0; place < key.length; place += 1) {
      const other = key[place] === 'x' ? 'y' : 'x';
      expect(isWellWritten(key.slice(0, place) + other + key.slice(place + 1))).toBe(false);
    }
  });

  it('with two neighbours exchanged, cut off or lengthened is found out', () => {
    const key = newApiKey();
    const place = Array.from(key).findIndex((character, index) => index > 3 && character !== key[index + 1]);
    const swapped = key.slice(0, place) + key.charAt(place + 1) + key.charAt(place) + key.slice(place + 2);
    for (const wrong of [swapped, key.slice(0, -1), `${key}0`, 'pk_', ''])
      expect(isWellWritten(wrong)).toBe(false);
  });

  it('shows so little that 200 bits and more stay hidden', () => {
    expect(prefixOf(newApiKey())).toMatch(/^pk_[0-9A-Za-z]{8}$/);
  });
});
