import { describe, expect, it } from '@jest/globals';
import { InvalidRequestError } from '../../../common/errors.js';
import { resolveChunking, sameIndexSettings } from './collection-settings.js';

describe('the chunking of a collection', () => {
  it.each([
    ['the defaults', {}, undefined, { chunkTokens: 800, chunkOverlap: 400 }],
    ['half of a small chunk', { chunkTokens: 301 }, undefined, { chunkTokens: 301, chunkOverlap: 150 }],
    [
      'what is requested',
      { chunkTokens: 200, chunkOverlap: 0 },
      undefined,
      { chunkTokens: 200, chunkOverlap: 0 },
    ],
    [
      'the present values',
      { chunkOverlap: 50 },
      { chunkTokens: 200, chunkOverlap: 100 },
      { chunkTokens: 200, chunkOverlap: 50 },
    ],
    [
      'the present overlap, as far as a smaller chunk allows',
      { chunkTokens: 120 },
      { chunkTokens: 200, chunkOverlap: 100 },
      { chunkTokens: 120, chunkOverlap: 60 },
    ],
  ])('is %s', (_what, requested, current, expected) => {
    expect(resolveChunking(requested, current)).toEqual(expected);
  });

  it('is refused if the overlap exceeds half of a chunk', () => {
    expect(() => resolveChunking({ chunkTokens: 200, chunkOverlap: 101 })).toThrow(InvalidRequestError);
    expect(() => resolveChunking({ chunkOverlap: 401 })).toThrow('which is 400');
  });
});

it('index settings are equal only if all of them are', () => {
  const settings = { embeddingModel: 'a/b', chunkTokens: 200, chunkOverlap: 100 };
  expect(sameIndexSettings(settings, { ...settings })).toBe(true);
  for (const change of [{ embeddingModel: null }, { chunkTokens: 201 }, { chunkOverlap: 99 }])
    expect(sameIndexSettings(settings, { ...settings, ...change })).toBe(false);
});
