import { describe, expect, it } from '@jest/globals';
import { fuseScores } from './fusion.js';

const keysOf = (hits: readonly { readonly key: string }[]): string[] => hits.map(({ key }) => key);

/** Returns hits by key and score. */
function hitsOf(scores: Readonly<Record<string, number>>): { key: string; score: number }[] {
  return Object.entries(scores).map(([key, score]) => ({ key, score }));
}

const LEXICAL = hitsOf({ a: 9, b: 6, c: 3 });
const VECTOR = hitsOf({ c: 0.9, b: 0.8, a: 0.4 });

describe('the fusion of two searches', () => {
  it('orders by the sum of the shares of the best scores', () => {
    const hits = fuseScores([
      { hits: LEXICAL, weight: 1, floor: 0 },
      { hits: VECTOR, weight: 1, floor: 0.4 },
    ]);
    expect(keysOf(hits)).toEqual(['b', 'c', 'a']);
    expect(hits.map(({ score }) => score.toFixed(3))).toEqual(['0.733', '0.667', '0.500']);
    expect(hits.map(({ ranks }) => ranks)).toEqual([
      [2, 2],
      [3, 1],
      [1, 3],
    ]);
  });

  it('counts a hit that one search has not found as if that score were 0', () => {
    const [first, second] = fuseScores([
      { hits: hitsOf({ a: 5 }), weight: 3, floor: 0 },
      { hits: hitsOf({ b: 0.9, c: 0.1 }), weight: 1, floor: 0.1 },
    ]);
    expect(first).toEqual({ key: 'a', score: 0.75, ranks: [1, undefined] });
    expect(second).toEqual({ key: 'b', score: 0.25, ranks: [undefined, 1] });
  });

  it('keeps the order of a search whose scores differ much if those of the other do not', () => {
    const hits = fuseScores([
      { hits: hitsOf({ a: 9, b: 2, c: 1.9 }), weight: 0.5, floor: 0 },
      { hits: hitsOf({ c: 0.52, b: 0.51, a: 0.505 }), weight: 0.5, floor: 0.42 },
    ]);
    expect(keysOf(hits)[0]).toBe('a');
  });

  it('has a score of 1 for what is first in both, also if each has found only that', () => {
    const [hit] = fuseScores([
      { hits: hitsOf({ a: 7 }), weight: 1, floor: 0 },
      { hits: hitsOf({ a: 0.8 }), weight: 0.2, floor: 0.8 },
    ]);
    expect(hit?.score).toBeCloseTo(1, 10);
  });

  it('follows the weights, and one search alone if the other has none', () => {
    const fuse = (words: number, vectors: number, found = LEXICAL): string[] =>
      keysOf(
        fuseScores([
          { hits: found, weight: words, floor: 0 },
          { hits: VECTOR, weight: vectors, floor: 0.4 },
        ]),
      );
    expect(fuse(1, 0.2)).toEqual(['a', 'b', 'c']);
    expect(fuse(0, 1)).toEqual(['c', 'b', 'a']);
    expect(fuse(1, 1, [])).toEqual(['c', 'b', 'a']);
  });

  it('counts a hit that a search repeats once, and one below the floor as 0', () => {
    const hits = [...hitsOf({ a: 2, b: -1 }), { key: 'a', score: 2 }];
    expect(fuseScores([{ hits, weight: 1, floor: 0 }])).toEqual([
      { key: 'a', score: 1, ranks: [1] },
      { key: 'b', score: 0, ranks: [2] },
    ]);
    expect(fuseScores([])).toEqual([]);
  });
});
