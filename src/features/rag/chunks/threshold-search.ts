import { type Bm25Corpus, inverseDocumentFrequency, maxBm25Score } from '../model/bm25.js';
import { ChunkScores } from './chunk-scores.js';
import type { CountedPostings, LexicalSearchRepository, TermList } from './lexical-search.repository.js';
import type { IndexTerm } from './postings.js';
import type { WordMatch } from './scored-chunk.js';
import type { SearchScope } from './search-scope.repository.js';
import {
  selectBestForms,
  choosePairs,
  chooseTerms,
  type SearchedTerm,
  type TermState,
} from './term-choice.js';

/**
 * Bounds of the chunks that are read. Those of the rare terms are read first: of terms with at most `min` to `max` chunks,
 * the more terms the fewer, about `first` together. Of the others up to `more` are read if they may matter, and up to
 * `pairs` that have two of the rest. `cap` is the maximum for one term, whose number of chunks may have been
 * underestimated.
 */
const READ = {
  first: 4_000,
  min: 300,
  max: 3_000,
  more: 2_000,
  cap: 6_000,
  pairs: 1_000,
} as const;

/** Number of chunks that are scored with all terms, for each one that is wanted. */
const COMPLETED_FACTOR = 4;

/** Maximum number of chunks of each index that have all frequent terms and are found by these. */
const MAX_INTERSECTION = 100;

/** Maximum number of frequent words whose intersection is searched; the first ones. */
const MAX_INTERSECTED_WORDS = 8;

/** Number of chunks with a frequent term that are read if rarer ones have not found enough. */
const MAX_FILLED = 2_000;

interface TermPlace extends IndexTerm {
  readonly state: TermState;
}

/**
 * A search by words in a large scope, which reads as few chunks as it can. The chunks of the rare terms are read. Frequent
 * terms add little: if the sum of what they can add at most is no more than the score of the last chunk that is wanted, a
 * chunk without a rare term cannot be among the best. Otherwise, the chunks of more terms are read, as far as they are not
 * too many, and those that have two of the rest.
 */
export class ThresholdSearch {
  private readonly corpus: Bm25Corpus;
  private readonly scores: ChunkScores;
  private readonly states: readonly TermState[];

  constructor(
    private readonly repository: LexicalSearchRepository,
    private readonly scope: SearchScope,
    terms: readonly SearchedTerm[],
  ) {
    this.corpus = toCorpus(scope);
    this.scores = new ChunkScores(this.corpus);
    this.states = terms.map((term) => ({ ...term, count: 0, isComplete: false }));
  }

  /**
   * Returns the best chunks.
   * @param topK number of chunks that must be right
   * @param limit maximum number of chunks
   */
  async find(topK: number, limit: number): Promise<WordMatch[]> {
    await this.readRareTerms();
    this.computeScores();
    if (this.maxAddition() > this.scores.scoreAt(topK) || this.scores.count < limit) {
      await this.readMore();
      this.computeScores();
    }
    if (this.maxAddition() > 0) {
      await this.complete(topK, limit);
      this.computeScores();
    }
    await this.fill(topK);
    return this.scores.bestMatches(limit);
  }

  /** Reads the chunks of the terms that are rare by an estimate, and estimates how many chunks have the others. */
  private async readRareTerms(): Promise<void> {
    const { first, min, max, cap } = READ;
    const places = toPlaces(this.states);
    const rare = Math.min(max, Math.max(min, first / this.states.length));
    this.add(places, await this.repository.findRare(this.scope, places, rare, cap));
  }

  /** Reads the chunks of the terms that add most for each chunk that is read, and those with pairs of others. */
  private async readMore(): Promise<void> {
    const open = this.states.filter(({ isComplete }) => !isComplete);
    const chosen = chooseTerms(open, (state) => this.scoreOf(state), READ.more);
    const left = open.filter((state) => !chosen.includes(state));
    const pairs = choosePairs(left, this.corpus.count, READ.pairs);
    if (chosen.length === 0 && pairs.length === 0) return;
    const places = toPlaces(chosen);
    const paired = pairs.flatMap((pair) => pair.places.map((place) => ({ ...pair, place })));
    const found = await this.repository.findPostings(
      this.scope,
      places,
      READ.cap,
      paired.map(({ place }) => place),
    );
    this.add(places, found.terms);
    for (const { pair: position, postings } of found.pairs) {
      const pair = paired[position];
      if (pair === undefined) continue;
      for (const [place, { term }] of [pair.first, pair.second].entries()) {
        const list = postings[place];
        if (list !== undefined) this.scores.add(term, list);
      }
    }
  }

  /** Adds chunks that were read for terms. */
  private add(places: readonly TermPlace[], found: readonly CountedPostings[]): void {
    const counts = new Map<TermState, { count: number; isComplete: boolean }>();
    for (const { state } of places) counts.set(state, { count: 0, isComplete: true });
    for (const { term: position, chunks, isComplete, postings } of found) {
      const state = places[position]?.state;
      const sum = state && counts.get(state);
      if (state === undefined || sum === undefined) continue;
      sum.count += chunks;
      if (!isComplete) sum.isComplete = false;
      this.scores.add(state.term, postings);
    }
    for (const [state, sum] of counts) Object.assign(state, sum);
  }

  private computeScores(): void {
    const counts = new Map(this.states.map(({ term, count }) => [term, count]));
    this.scores.compute((term) => inverseDocumentFrequency(this.corpus, counts.get(term) ?? 0));
  }

  /** Returns the maximum of what a term adds to the score of a chunk. */
  private scoreOf({ term, count }: TermState): number {
    return term.weight * maxBm25Score(inverseDocumentFrequency(this.corpus, count));
  }

  /** Returns the maximum of what the terms that are not complete add to the score of a chunk. */
  private maxAddition(): number {
    const words = new Map<number, number>();
    for (const state of this.states) {
      if (state.isComplete) continue;
      const { word } = state.term;
      words.set(word, Math.max(words.get(word) ?? 0, this.scoreOf(state)));
    }
    return words.values().reduce((sum, score) => sum + score, 0);
  }

  /**
   * Reads which of the chunks that may be among the best have the terms that are not complete. If there are none, it reads
   * chunks that have all of these terms.
   */
  private async complete(topK: number, limit: number): Promise<void> {
    const threshold = this.scores.scoreAt(topK) - this.maxAddition();
    const keys = new Set([
      ...this.scores.bestKeys(limit),
      ...this.scores.bestKeys(COMPLETED_FACTOR * limit, threshold),
      ...this.scores.bestRelevantKeys(limit),
    ]);
    const lists = keys.size === 0 ? this.intersections() : [];
    if (keys.size === 0 && lists.length === 0) return;
    const open = this.states.filter(({ isComplete }) => !isComplete);
    const terms = open.map(({ places }) => places);
    const found = await this.repository.findTermsOf(this.scope, terms, [...keys], lists, MAX_INTERSECTION);
    for (const { term: position, postings } of found) {
      const term = open[position]?.term;
      if (term !== undefined) this.scores.add(term, postings);
    }
  }

  /** Reads some chunks with the terms that are not complete, the rarest first, until there are enough. */
  private async fill(count: number): Promise<void> {
    const open = this.states.filter(({ isComplete }) => !isComplete);
    for (const { term, places } of open.sort((one, other) => one.count - other.count)) {
      if (this.scores.count >= count) return;
      for (const { postings } of await this.repository.findSome(this.scope, places, MAX_FILLED))
        this.scores.add(term, postings);
      this.computeScores();
    }
  }

  /** Returns the best forms of the words with frequent terms, in each index. */
  private intersections(): TermList[] {
    const open = this.states.filter(({ isComplete }) => !isComplete);
    const chosen = selectBestForms(open).slice(0, MAX_INTERSECTED_WORDS);
    if (chosen.length < 2) return [];
    return this.scope.indexes.map(({ id: indexId }) => ({
      indexId,
      hashes: toPlaces(chosen).flatMap((place) => (place.indexId === indexId ? [place.hash] : [])),
    }));
  }
}

/** Returns the statistics of the indexes of a scope. */
export function toCorpus({ indexes }: SearchScope): Bm25Corpus {
  const count = indexes.reduce((sum, { chunks }) => sum + chunks, 0);
  const terms = indexes.reduce((sum, index) => sum + index.terms, 0);
  return { count, averageLength: count === 0 ? 0 : terms / count };
}

function toPlaces(states: readonly TermState[]): TermPlace[] {
  return states.flatMap((state) => state.places.map((place) => ({ ...place, state })));
}
