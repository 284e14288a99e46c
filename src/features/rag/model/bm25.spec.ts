import { describe, expect, it } from '@jest/globals';
import { bm25Score, inverseDocumentFrequency } from './bm25.js';

const corpus = { count: 1_000, averageLength: 100 };

describe('the BM25 score', () => {
  it('is that of the formula', () => {
    const idf = inverseDocumentFrequency(corpus, 10);
    expect(idf).toBeCloseTo(Math.log(1 + 990.5 / 10.5), 10);
    // A chunk of average length, in which the norm is k1.
    expect(bm25Score(1, 100, idf, corpus)).toBeCloseTo(idf, 10);
    expect(bm25Score(3, 100, idf, corpus)).toBeCloseTo((idf * 3 * 2.2) / 4.2, 10);
  });

  it('grows with the frequency and falls with the length and with the number of chunks with the term', () => {
    const rare = inverseDocumentFrequency(corpus, 2);
    expect(rare).toBeGreaterThan(inverseDocumentFrequency(corpus, 20));
    expect(bm25Score(2, 100, rare, corpus)).toBeGreaterThan(bm25Score(1, 100, rare, corpus));
    expect(bm25Score(1, 50, rare, corpus)).toBeGreaterThan(bm25Score(1, 200, rare, corpus));
  });

  it('is positive for a term that each chunk has, and with statistics that are behind', () => {
    expect(inverseDocumentFrequency(corpus, 1_000)).toBeGreaterThan(0);
    expect(inverseDocumentFrequency(corpus, 5_000)).toBeGreaterThan(0);
    expect(bm25Score(1, 10, 1, { count: 0, averageLength: 0 })).toBeGreaterThan(0);
  });
});
