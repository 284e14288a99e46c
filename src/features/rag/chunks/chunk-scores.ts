import { type Bm25Corpus, bm25Score } from '../model/bm25.js';
import { RelevantPassages } from '../model/relevance.js';
import type { QueryTerm } from '../model/tokenizer.js';
import type { Postings } from './postings.js';
import { bestMatches, type WordMatch } from './scored-chunk.js';

/** The chunks with a term, by their numbers. */
interface NumberedPostings {
  readonly term: QueryTerm;
  readonly chunks: Int32Array;
  /** BM25 scores for an inverse document frequency of 1. */
  readonly factors: Float64Array;
}

/**
 * The chunks that a search has seen, for scoring them several times: they are numbered in the order in which they were
 * seen, because arrays of numbers are much faster than maps of keys.
 */
export class ChunkScores {
  private readonly numbers = new Map<string, number>();
  private readonly keys: string[] = [];
  private readonly lists: NumberedPostings[] = [];
  private readonly relevant = new RelevantPassages<number>();
  private scores = new Float64Array();
  /** The scores, ascending. */
  private sorted = new Float64Array();

  constructor(private readonly corpus: Bm25Corpus) {}

  /** Number of chunks. */
  get count(): number {
    return this.keys.length;
  }

  /** Adds chunks with a term. A chunk may be added several times. */
  add(term: QueryTerm, postings: Postings): void {
    const chunks = new Int32Array(postings.count);
    const factors = new Float64Array(postings.count);
    let next = 0;
    postings.forEach((key, length, frequency) => {
      const number = this.numberOf(key);
      chunks[next] = number;
      factors[next] = bm25Score(frequency, length, 1, this.corpus);
      next += 1;
      this.relevant.add(number, term);
    });
    this.lists.push({ term, chunks: chunks.subarray(0, next), factors });
  }

  /** Computes all scores, as `scorePostings` does. */
  compute(idfOf: (term: QueryTerm) => number): void {
    const scores = new Float64Array(this.count);
    for (const forms of Map.groupBy(this.lists, ({ term }) => term.word).values()) {
      const best = new Float64Array(this.count);
      for (const { term, chunks, factors } of forms) {
        const factor = term.weight * idfOf(term);
        for (let index = 0; index < chunks.length; index += 1) {
          const chunk = chunks[index] ?? 0;
          best[chunk] = Math.max(best[chunk] ?? 0, factor * (factors[index] ?? 0));
        }
      }
      for (let chunk = 0; chunk < best.length; chunk += 1)
        scores[chunk] = (scores[chunk] ?? 0) + (best[chunk] ?? 0);
    }
    this.scores = scores;
    this.sorted = scores.toSorted();
  }

  /** Returns the score at a rank from 1; 0 if there are fewer chunks. */
  scoreAt(rank: number): number {
    return this.sorted[this.sorted.length - rank] ?? 0;
  }

  /**
   * Returns the keys of the chunks with the highest scores, in any order, and of all that are equal to the last one, so that
   * the order of their keys decides between these.
   * @param least minimum score
   */
  bestKeys(limit: number, least = 0): string[] {
    return this.keysFrom(this.scores.keys(), Math.max(least, this.scoreAt(limit)));
  }

  /** Returns the keys of the relevant chunks with the highest scores, as `bestKeys` does. */
  bestRelevantKeys(limit: number): string[] {
    const { keys } = this.relevant;
    if (keys.size <= limit) return this.keysFrom(keys, 0);
    const sorted = Float64Array.from(keys, (chunk) => this.scores[chunk] ?? 0).sort();
    return this.keysFrom(keys, sorted[sorted.length - limit] ?? 0);
  }

  /** Returns the best chunks and the best relevant ones, as `bestMatches` does. */
  bestMatches(limit: number): WordMatch[] {
    const relevant = this.bestRelevantKeys(limit);
    const keys = new Set([...this.bestKeys(limit), ...relevant]);
    const scores = new Map(Array.from(keys, (key) => [key, this.scores[this.numberOf(key)] ?? 0]));
    const isRelevant = (key: string): boolean => this.relevant.keys.has(this.numberOf(key));
    return bestMatches({ scores, relevant: new Set([...keys].filter(isRelevant)) }, limit);
  }

  private keysFrom(chunks: Iterable<number>, least: number): string[] {
    const found: string[] = [];
    for (const chunk of chunks) if ((this.scores[chunk] ?? 0) >= least) found.push(this.keys[chunk] ?? '');
    return found;
  }

  private numberOf(key: string): number {
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.numbers.set(key, this.keys.length);
    return this.keys.push(key) - 1;
  }
}
