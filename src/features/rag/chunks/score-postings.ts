import { type Bm25Corpus, bm25Score } from '../model/bm25.js';
import { RelevantPassages } from '../model/relevance.js';
import type { QueryTerm } from '../model/tokenizer.js';
import type { Postings } from './postings.js';

/** The chunks with one term of a question. */
export interface QueryPostings {
  readonly term: QueryTerm;
  /** Inverse document frequency of the term. */
  readonly idf: number;
  readonly postings: Postings;
}

/** The chunks with terms of a question, by their packed keys. */
export interface ScoredPostings {
  /** BM25 scores. */
  readonly scores: ReadonlyMap<string, number>;
  /** The chunks that are relevant to the question. */
  readonly relevant: ReadonlySet<string>;
}

/**
 * Returns the scores of chunks, and which of them are relevant. The forms of one word are alternatives: the one with the
 * highest score counts.
 */
export function scorePostings(lists: readonly QueryPostings[], corpus: Bm25Corpus): ScoredPostings {
  const words = new Map<number, QueryPostings[]>();
  for (const list of lists) {
    const forms = words.get(list.term.word);
    if (forms === undefined) words.set(list.term.word, [list]);
    else forms.push(list);
  }
  const scores = new Map<string, number>();
  const relevant = new RelevantPassages<string>();
  for (const forms of words.values()) {
    const best = new Map<string, number>();
    for (const { term, idf, postings } of forms) {
      postings.forEach((key, length, frequency) => {
        const score = term.weight * bm25Score(frequency, length, idf, corpus);
        if (score > (best.get(key) ?? 0)) best.set(key, score);
        relevant.add(key, term);
      });
    }
    for (const [key, score] of best) scores.set(key, (scores.get(key) ?? 0) + score);
  }
  return { scores, relevant: relevant.keys };
}
