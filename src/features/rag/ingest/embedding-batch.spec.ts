import { describe, expect, it } from '@jest/globals';
import { EMBEDDING_BOUNDS, firstHalf, normalizeVector, takeEmbeddingBatch } from './embedding-batch.js';

function chunks(count: number, text = 'a', tokens = 1) {
  return Array.from({ length: count }, (_, ordinal) => ({ ordinal, text, tokens }));
}

describe('a batch of chunks to embed', () => {
  it('has all chunks if they fit in a request', () => {
    expect(takeEmbeddingBatch(chunks(EMBEDDING_BOUNDS.texts))).toHaveLength(EMBEDDING_BOUNDS.texts);
    expect(takeEmbeddingBatch([])).toEqual([]);
  });

  it('is bounded by the number of its texts, its tokens and its bytes', () => {
    expect(takeEmbeddingBatch(chunks(200))).toHaveLength(EMBEDDING_BOUNDS.texts);
    expect(takeEmbeddingBatch(chunks(200), 7)).toHaveLength(7);
    expect(takeEmbeddingBatch(chunks(90, 'a', 4_000))).toHaveLength(25);
    expect(takeEmbeddingBatch(chunks(90, 'ü'.repeat(50_000)))).toHaveLength(10);
  });

  it('has one chunk even if that exceeds a bound', () => {
    expect(takeEmbeddingBatch(chunks(2, 'a', 1_000_000))).toHaveLength(1);
  });
});

describe('the first half of a text', () => {
  it('never ends within a character', () => {
    expect(firstHalf('abcd')).toBe('ab');
    expect(firstHalf('a😀b')).toBe('a');
  });
});

describe('a vector', () => {
  it('is scaled to length 1', () => {
    expect(normalizeVector([3, 4])).toEqual([0.6, 0.8]);
  });

  it('without a direction stays as it is, and one that is not made of numbers is refused', () => {
    expect(normalizeVector([0, 0])).toEqual([0, 0]);
    expect(normalizeVector([1, Number.NaN])).toBeUndefined();
    expect(normalizeVector([1, Number.POSITIVE_INFINITY])).toBeUndefined();
  });
});
