import { expect, it } from '@jest/globals';
import { mediaTokens } from './media-tokens.js';

it('mediaTokens counts the same for every image, whatever its size', () => {
  expect([mediaTokens('image', 1), mediaTokens('image', 5_000_000)]).toEqual([1600, 1600]);
});

it('mediaTokens counts the pages of a PDF, from 1 to 100', () => {
  expect(mediaTokens('pdf', 1)).toBe(1600);
  expect(mediaTokens('pdf', 65_537)).toBe(3200);
  expect(mediaTokens('pdf', 2 ** 20)).toBe(25_600);
  expect(mediaTokens('pdf', 20 * 2 ** 20)).toBe(160_000);
});
