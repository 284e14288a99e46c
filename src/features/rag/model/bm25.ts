/** Statistics of the collection that is searched. */
export interface Bm25Corpus {
  /** Number of chunks. */
  readonly count: number;
  /** Average length of a chunk, in words. */
  readonly averageLength: number;
}

/** Saturation of the frequency, and share of the normalization by length. Measured with bench/retrieval/lexical.mjs. */
const K1 = 1.2;
const B = 0.75;

/**
 * Returns the inverse document frequency of a term: Lucene's form, which is never negative.
 * @param documentFrequency number of chunks with the term; may be an estimate
 */
export function inverseDocumentFrequency({ count }: Bm25Corpus, documentFrequency: number): number {
  const frequency = Math.min(documentFrequency, count);
  return Math.log(1 + (count - frequency + 0.5) / (frequency + 0.5));
}

/**
 * Returns the BM25 score of a term in a chunk.
 * @param frequency occurrences of the term in the chunk
 * @param length length of the chunk, in words
 * @param idf of {@link inverseDocumentFrequency}
 */
export function bm25Score(
  frequency: number,
  length: number,
  idf: number,
  { averageLength }: Bm25Corpus,
): number {
  const relativeLength = averageLength > 0 ? length / averageLength : 1;
  return (idf * frequency * (K1 + 1)) / (frequency + K1 * (1 - B + B * relativeLength));
}

/** Returns what the BM25 score of a term approaches in a short chunk that has it often, and never exceeds. */
export function maxBm25Score(idf: number): number {
  return idf * (K1 + 1);
}
