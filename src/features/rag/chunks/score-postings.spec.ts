import { describe, expect, test } from '@jest/globals';
import { newId } from '../../../common/ids.js';
import { bm25Score } from '../model/bm25.js';
import { type ChunkKey, packKey, Postings, unpackKey } from './postings.js';
import { scorePostings } from './score-postings.js';
import { bestChunks, bestMatches } from './scored-chunk.js';

const CORPUS = { count: 100, averageLength: 50 };

function toPostings(
  entries: readonly (ChunkKey & { readonly length: number; readonly frequency: number })[],
): Postings {
  return new Postings(
    Buffer.concat(
      entries.map(({ length, frequency, ...key }) => {
        const numbers = Buffer.alloc(6);
        numbers.writeInt32BE(length);
        numbers.writeInt16BE(frequency, 4);
        return Buffer.concat([Buffer.from(packKey(key), 'latin1'), numbers]);
      }),
    ),
  );
}

const FIRST = { ingestionId: newId(), ordinal: 7 };
const SECOND = { ingestionId: newId(), ordinal: 70_000 };

describe('the key of a chunk', () => {
  test('is the same after it was packed', () => {
    for (const key of [FIRST, SECOND]) expect(unpackKey(packKey(key))).toEqual(key);
    expect(packKey(FIRST)).not.toBe(packKey({ ...FIRST, ordinal: 8 }));
  });

  test('is read from postings with their number', () => {
    const postings = toPostings([
      { ...FIRST, length: 50, frequency: 2 },
      { ...SECOND, length: 10, frequency: 1 },
    ]);
    expect(postings.count).toBe(2);
    const read: unknown[] = [];
    postings.forEach((key, length, frequency) => read.push({ ...unpackKey(key), length, frequency }));
    expect(read).toEqual([
      { ...FIRST, length: 50, frequency: 2 },
      { ...SECOND, length: 10, frequency: 1 },
    ]);
  });
});

describe('the score of a chunk', () => {
  test('is the sum over words, and of the forms of a word the best', () => {
    const term = { term: 'a', weight: 1, word: 0, evidence: 'strong' } as const;
    const { scores, relevant } = scorePostings(
      [
        { term, idf: 2, postings: toPostings([{ ...FIRST, length: 50, frequency: 2 }]) },
        {
          term: { ...term, weight: 0.5, evidence: 'weak' },
          idf: 2,
          postings: toPostings([
            { ...FIRST, length: 50, frequency: 3 },
            { ...SECOND, length: 50, frequency: 3 },
          ]),
        },
        {
          term: { term: 'b', weight: 1, word: 1, evidence: 'none' },
          idf: 1,
          postings: toPostings([{ ...FIRST, length: 50, frequency: 1 }]),
        },
      ],
      CORPUS,
    );
    expect(scores.get(packKey(FIRST))).toBeCloseTo(bm25Score(2, 50, 2, CORPUS) + bm25Score(1, 50, 1, CORPUS));
    expect(scores.get(packKey(SECOND))).toBeCloseTo(0.5 * bm25Score(3, 50, 2, CORPUS));
    expect(relevant).toEqual(new Set([packKey(FIRST)]));
  });
});

describe('the best chunks', () => {
  test('come first, and equal ones in the order of their keys', () => {
    expect(
      bestChunks(
        [
          ['b', 1],
          ['c', 2],
          ['a', 1],
          ['d', 0],
        ],
        3,
      ),
    ).toEqual([
      { key: 'c', score: 2 },
      { key: 'a', score: 1 },
      { key: 'b', score: 1 },
    ]);
  });

  test('are followed by the best relevant ones, which function words would hide', () => {
    const scores = new Map([
      ['a', 9],
      ['b', 8],
      ['c', 7],
      ['d', 6],
      ['e', 5],
    ]);
    const relevant = new Set(['b', 'd', 'e']);
    expect(bestMatches({ scores, relevant }, 2)).toEqual([
      { key: 'a', score: 9, isRelevant: false },
      { key: 'b', score: 8, isRelevant: true },
      { key: 'd', score: 6, isRelevant: true },
    ]);
  });
});
