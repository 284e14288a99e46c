import { describe, expect, test } from '@jest/globals';
import { embeddingProfile } from './embedding-profile.js';
import { fuseLegs, isRelevant } from './fuse-hits.js';

const LEXICAL = [
  { key: 'a', score: 7, isRelevant: true },
  { key: 'b', score: 3, isRelevant: false },
];
const VECTOR = [
  { key: 'b', score: 0.9 },
  { key: 'c', score: 0.2 },
];

describe('the merged result', () => {
  test('of one way of searching has its order and its scores', () => {
    expect(fuseLegs({ lexical: LEXICAL, vector: undefined, vectorWeight: 0.5 })).toEqual([
      {
        key: 'a',
        score: 7,
        isRelevantByWords: true,
        scores: { lexical: 7, vector: null, fused: null },
        ranks: { lexical: 1, vector: null },
      },
      {
        key: 'b',
        score: 3,
        isRelevantByWords: false,
        scores: { lexical: 3, vector: null, fused: null },
        ranks: { lexical: 2, vector: null },
      },
    ]);
    expect(fuseLegs({ lexical: undefined, vector: VECTOR, vectorWeight: 0.5 })[0]).toMatchObject({
      score: 0.9,
      scores: { lexical: null, vector: 0.9, fused: null },
    });
  });

  test('of both has what both have found first, with all scores and ranks', () => {
    const fused = fuseLegs({ lexical: LEXICAL, vector: VECTOR, vectorWeight: 0.5 });
    expect(fused.map(({ key }) => key)).toEqual(['b', 'a', 'c']);
    expect(fused[0]).toMatchObject({ scores: { lexical: 3, vector: 0.9 }, ranks: { lexical: 2, vector: 1 } });
    expect(fused[2]).toMatchObject({
      scores: { lexical: null, vector: 0.2 },
      ranks: { lexical: null, vector: 2 },
    });
  });

  test('of a few chunks that are about equally near is that of the words', () => {
    const near = [
      { key: 'b', score: 0.61 },
      { key: 'a', score: 0.6 },
    ];
    const [first] = fuseLegs({ lexical: LEXICAL, vector: near, vectorWeight: 0.5 });
    expect(first).toMatchObject({ key: 'a', scores: { fused: 0.95 } });
  });

  test('has the same scores however many chunks were found beyond the hundredth', () => {
    const tail = Array.from({ length: 200 }, (_, index) => ({
      key: `tail${index}`,
      score: 0.5 - index / 500,
    }));
    const fuse = (count: number) =>
      fuseLegs({
        lexical: LEXICAL,
        vector: [...VECTOR.slice(0, 1), ...tail].slice(0, count),
        vectorWeight: 0.4,
      });
    expect(fuse(200).slice(0, 50)).toEqual(fuse(100).slice(0, 50));
  });

  test('follows the share of the vectors', () => {
    const vector = [
      { key: 'c', score: 0.9 },
      { key: 'b', score: 0.2 },
    ];
    const keys = (vectorWeight: number): string[] =>
      fuseLegs({ lexical: LEXICAL, vector, vectorWeight }).map(({ key }) => key);
    expect(keys(0)[0]).toBe('a');
    expect(keys(1)[0]).toBe('c');
  });
});

describe('a passage', () => {
  const [near, found, far] = fuseLegs({ lexical: LEXICAL, vector: VECTOR, vectorWeight: 0.5 });

  test.each([
    ['with a content word of the query', found, 2, true],
    ['that is near enough', near, 0.9, true],
    ['with function words of the query that is too far', near, 0.91, false],
    ['that is too far', far, 0.21, false],
    ['of exactly the minimum', far, 0.2, true],
  ])('%s is relevant or not', (_title, chunk, minCosine, expected) => {
    expect(chunk && isRelevant(chunk, minCosine)).toBe(expected);
  });
});

describe('the profile of an embedding model', () => {
  test('is that of its family, or a default', () => {
    expect(embeddingProfile('openai/text-embedding-3-small').minCosine).toBe(0.3);
    expect(embeddingProfile('ollama/multilingual-e5-large').minCosine).toBe(0.8);
    expect(embeddingProfile('host/unknown')).toEqual({ minCosine: 0.5 });
  });
});
