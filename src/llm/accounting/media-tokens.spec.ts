import { expect, it } from '@jest/globals';
import { estimateMediaTokens } from './media-tokens.js';

it('estimateMediaTokens counts the same for every image, whatever its size', () => {
  expect([estimateMediaTokens('image', 1), estimateMediaTokens('image', 5_000_000)]).toEqual([1600, 1600]);
});

it('estimateMediaTokens counts the pages of a PDF, from 1 to 100', () => {
  expect(estimateMediaTokens('pdf', 1)).toBe(1600);
  expect(estimateMediaTokens('pdf', 65_537)).toBe(3200);
  expect(estimateMediaTokens('pdf', 2 ** 20)).toBe(25_600);
  expect(estimateMediaTokens('pdf', 20 * 2 ** 20)).toBe(160_000);
});
