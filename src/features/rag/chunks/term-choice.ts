import type { QueryTerm } from '../model/tokenizer.js';
import type { TermPair } from './lexical-search.repository.js';
import type { IndexTerm } from './postings.js';

/** A term of a question. */
export interface SearchedTerm {
  readonly term: QueryTerm;
  /** The term in each of the indexes. */
  readonly places: readonly IndexTerm[];
}

/** A term, and how many chunks have it. */
export interface TermState extends SearchedTerm {
  /** An estimate unless all have been read. */
  count: number;
  /** True if all chunks with it are known. */
  isComplete: boolean;
}

/** Two terms of different words. */
export interface StatePair {
  readonly first: TermState;
  readonly second: TermState;
  /** The pair in each of the indexes. */
  readonly places: readonly TermPair[];
}

/** Maximum number of pairs, in all indexes together. */
const MAX_PAIRS = 60;

/**
 * Words of a text go together, so there are more chunks with a pair than the estimate: up to `factor` times as many and
 * `more` are read.
 */
const PAIR_CAP = { factor: 4, more: 100 } as const;

/** Least share of the chunks with a form of a word that are taken for chunks without the other forms. */
const MIN_NEW_SHARE = 0.05;

/**
 * Returns the terms that add most for each chunk that is read, as far as their chunks are not too many.
 * @param open terms whose chunks are not known
 * @param scoreOf the maximum of what a term adds to the score of a chunk
 * @param budget maximum number of chunks
 */
export function chooseTerms(
  open: readonly TermState[],
  scoreOf: (state: TermState) => number,
  budget: number,
): TermState[] {
  const forms = Map.groupBy(open, ({ term }) => term.word);
  const valued = open.map((state) => {
    // Most chunks with a form of a word have its better forms too.
    const better = (forms.get(state.term.word) ?? []).filter(({ term }) => term.weight > state.term.weight);
    const known = Math.max(0, ...better.map(({ count }) => count));
    const share = Math.max(MIN_NEW_SHARE, 1 - known / state.count);
    return { state, value: (share * scoreOf(state)) / state.count };
  });
  const chosen: TermState[] = [];
  let sum = 0;
  for (const { state } of valued.sort((one, other) => other.value - one.value)) {
    if (sum + state.count > budget) continue;
    chosen.push(state);
    sum += state.count;
  }
  return chosen;
}

/**
 * Returns pairs of terms, those that the fewest chunks have first, as far as these are not too many.
 * @param open terms whose chunks are not read; of each word the form with the highest weight is paired
 * @param chunks number of chunks of all indexes
 * @param budget maximum number of chunks
 */
export function choosePairs(open: readonly TermState[], chunks: number, budget: number): StatePair[] {
  const words = selectBestForms(open);
  const pairs = words.flatMap((first, index) =>
    words.slice(index + 1).map((second) => ({ first, second, count: (first.count * second.count) / chunks })),
  );
  const chosen: StatePair[] = [];
  let sum = 0;
  let places = 0;
  for (const { first, second, count } of pairs.sort((one, other) => one.count - other.count)) {
    places += first.places.length;
    sum += count;
    if (sum > budget || places > Math.max(MAX_PAIRS, first.places.length)) break;
    chosen.push({
      first,
      second,
      places: toPairPlaces(first, second, Math.ceil(PAIR_CAP.factor * count + PAIR_CAP.more)),
    });
  }
  return chosen;
}

/** Returns the form with the highest weight of each word that chunks have. */
export function selectBestForms(states: readonly TermState[]): TermState[] {
  const forms = new Map<number, TermState>();
  for (const state of states) {
    const best = forms.get(state.term.word);
    if (state.count > 0 && (best === undefined || best.term.weight < state.term.weight))
      forms.set(state.term.word, state);
  }
  return [...forms.values()];
}

function toPairPlaces(first: TermState, second: TermState, cap: number): TermPair[] {
  const others = new Map(second.places.map(({ indexId, hash }) => [indexId, hash]));
  return first.places.flatMap(({ indexId, hash }) => {
    const other = others.get(indexId);
    return other === undefined ? [] : [{ indexId, hashes: [hash, other] as const, cap }];
  });
}
