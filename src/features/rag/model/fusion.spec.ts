import { describe, expect, it } from '@jest/globals';
import { fuseRanks } from './fusion.js';

const keysOf = (hits: readonly { readonly key: string }[]): string[] => hits.map(({ key }) => key);

describe('the fusion of two searches', () => {
  it('ranks first what both have found', () => {
    const hits = fuseRanks([
      { keys: ['a', 'b', 'c'], weight: 1 },
      { keys: ['d', 'b'], weight: 1 },
    ]);
    expect(keysOf(hits)).toEqual(['b', 'a', 'd', 'c']);
    expect(hits[0]?.ranks).toEqual([2, 2]);
    expect(hits[1]?.ranks).toEqual([1, undefined]);
  });

  it('has a score of 1 for what is first in both', () => {
    const [hit] = fuseRanks([
      { keys: ['a'], weight: 1 },
      { keys: ['a'], weight: 0.2 },
    ]);
    expect(hit?.score).toBeCloseTo(1, 10);
  });

  it('follows the weights, and one search alone if the other has none', () => {
    const lexical = ['a', 'b', 'c'];
    const vector = ['c', 'b', 'a'];
    expect(
      keysOf(
        fuseRanks([
          { keys: lexical, weight: 1 },
          { keys: vector, weight: 0.2 },
        ]),
      ),
    ).toEqual(lexical);
    expect(
      keysOf(
        fuseRanks([
          { keys: lexical, weight: 0 },
          { keys: vector, weight: 1 },
        ]),
      ),
    ).toEqual(vector);
    expect(
      keysOf(
        fuseRanks([
          { keys: [], weight: 1 },
          { keys: vector, weight: 1 },
        ]),
      ),
    ).toEqual(vector);
  });

  it('counts a hit that a search repeats once', () => {
    const [hit] = fuseRanks([{ keys: ['a', 'a'], weight: 1 }]);
    expect(hit).toMatchObject({ ranks: [1], score: 1 });
    expect(fuseRanks([])).toEqual([]);
  });
});
