import { describe, expect, it } from '@jest/globals';
import { hashApiKey, isWellFormedApiKey, looksLikeApiKey, newApiKey, visiblePrefix } from './api-key.js';

describe('an API key', () => {
  it('is well-formed, has a constant length, and is never the same twice', () => {
    const keys = Array.from({ length: 500 }, newApiKey);
    for (const key of keys) {
      expect(key).toMatch(/^pk_[0-9A-Za-z]{49}$/);
      expect(isWellFormedApiKey(key)).toBe(true);
      expect(looksLikeApiKey(key)).toBe(true);
    }
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(keys.map((key) => hashApiKey(key).join())).size).toBe(keys.length);
  });

  it('is rejected if any single character is changed', () => {
    const key = newApiKey();
    for (let place = 0; place < key.length; place += 1) {
      const other = key[place] === 'x' ? 'y' : 'x';
      expect(isWellFormedApiKey(key.slice(0, place) + other + key.slice(place + 1))).toBe(false);
    }
  });

  it('is rejected if two adjacent characters are swapped, or if it is truncated or extended', () => {
    const key = newApiKey();
    const place = Array.from(key).findIndex((character, index) => index > 3 && character !== key[index + 1]);
    const swapped = key.slice(0, place) + key.charAt(place + 1) + key.charAt(place) + key.slice(place + 2);
    for (const wrong of [swapped, key.slice(0, -1), `${key}0`, 'pk_', ''])
      expect(isWellFormedApiKey(wrong)).toBe(false);
  });

  it('reveals so little in its prefix that more than 200 bits stay secret', () => {
    expect(visiblePrefix(newApiKey())).toMatch(/^pk_[0-9A-Za-z]{8}$/);
  });
});
