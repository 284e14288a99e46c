import { type Bm25Corpus, inverseDocumentFrequency, maxBm25Score } from '../model/bm25.js';
import type { QueryTerm } from '../model/tokenizer.js';
import { ChunkScores } from './chunk-scores.js';
import type { IndexTerm, LexicalSearchRepository, TermList } from './lexical-search.repository.js';
import type { WordMatch } from './scored-chunk.js';
import type { SearchScope } from './search-scope.repository.js';

/**
 * Bounds of the chunks that are read. Those of the rare terms are read first: of terms with at most `min` to `max` chunks,
 * the more terms the fewer, about `first` together. Of the others up to `more` are read if they may matter. `cap` is the
 * maximum for one term, whose number of chunks may have been underestimated.
 */
const READ = { first: 4_000, min: 300, max: 3_000, more: 3_000, cap: 6_000 } as const;

/** Number of chunks that are scored with all terms, for each one that is wanted. */
const COMPLETED_FACTOR = 2;

/** Maximum number of times that terms are read and chunks are scored with all terms. */
const MAX_ROUNDS = 2;

/** Maximum number of chunks of each index that have all frequent terms and are found by these. */
const MAX_INTERSECTION = 100;

/** Maximum number of frequent words whose intersection is searched; the first ones. */
const MAX_INTERSECTED_WORDS = 8;

/** Number of chunks with a frequent term that are read if rarer ones have not found enough. */
const MAX_FILLED = 2_000;

/** A term of a question. */
export interface SearchedTerm {
  readonly term: QueryTerm;
  /** The term in each of the indexes. */
  readonly places: readonly IndexTerm[];
}

/** A term, and how many chunks have it. */
interface TermState extends SearchedTerm {
  /** An estimate unless all have been read. */
  count: number;
  /** True if all chunks with it are known. */
  isComplete: boolean;
}

interface TermPlace extends IndexTerm {
  readonly state: TermState;
}

/**
 * A search by words in a large scope, which reads as few chunks as it can. The chunks of the rare terms are read, and the
 * best of them are scored with all terms. Frequent terms add little: if the sum of what they can add at most is no more
 * than the score of the last chunk that is wanted, a chunk without a rare term cannot be among the best. Otherwise, the
 * chunks of more terms are read, as far as they are not too many.
 */
export class ThresholdSearch {
  private readonly corpus: Bm25Corpus;
  private readonly scores: ChunkScores;
  private readonly states: readonly TermState[];
  private readonly completed = new Set<string>();

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
    for (let round = 1; ; round += 1) {
      this.computeScores();
      if (this.maxAddition() === 0) return this.scores.bestMatches(limit);
      await this.complete(this.incompleteKeys(topK, limit));
      this.computeScores();
      const least = this.scores.scoreAt(topK);
      if (round >= MAX_ROUNDS || (this.maxAddition() <= least && this.scores.count >= limit)) break;
      if (!(await this.readMore(least, limit))) break;
    }
    await this.fill(limit);
    return this.scores.bestMatches(limit);
  }

  /** Reads the chunks of the terms that are rare by an estimate, and estimates how many chunks have the others. */
  private async readRareTerms(): Promise<void> {
    const { first, min, max, cap } = READ;
    const places = toPlaces(this.states);
    const rare = Math.min(max, Math.max(min, first / this.states.length));
    this.add(places, await this.repository.findRare(this.scope, places, rare, cap));
  }

  /**
   * Reads the chunks of the terms that add most for each chunk that is read, until the others cannot bring a chunk above
   * a score.
   * @returns false if there is no such term
   */
  private async readMore(least: number, limit: number): Promise<boolean> {
    const open = this.states
      .filter(({ isComplete }) => !isComplete)
      .sort((one, other) => this.scoreOf(other) / other.count - this.scoreOf(one) / one.count);
    const chosen: TermState[] = [];
    let sum = 0;
    for (const state of open) {
      const isEnough = this.maxAddition(chosen) <= least && this.scores.count + sum >= limit;
      if (isEnough || sum + state.count > READ.more) break;
      chosen.push(state);
      sum += state.count;
    }
    if (chosen.length === 0) return false;
    const places = toPlaces(chosen);
    this.add(places, await this.repository.findPostings(this.scope, places, READ.cap));
    return true;
  }

  /** Adds chunks that were read for terms. */
  private add(
    places: readonly TermPlace[],
    found: Awaited<ReturnType<LexicalSearchRepository['findPostings']>>,
  ): void {
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

  /**
   * Returns the maximum of what the terms that are not complete add to the score of a chunk.
   * @param others terms that do not count
   */
  private maxAddition(others: readonly TermState[] = []): number {
    const words = new Map<number, number>();
    for (const state of this.states) {
      if (state.isComplete || others.includes(state)) continue;
      const { word } = state.term;
      words.set(word, Math.max(words.get(word) ?? 0, this.scoreOf(state)));
    }
    return words.values().reduce((sum, score) => sum + score, 0);
  }

  /** Returns the keys of chunks that have not been scored with all terms and may be among the best. */
  private incompleteKeys(topK: number, limit: number): string[] {
    const count = COMPLETED_FACTOR * limit;
    if (this.completed.size === 0)
      return Array.from(new Set([...this.scores.bestKeys(count), ...this.scores.bestRelevantKeys(limit)]));
    const threshold = this.scores.scoreAt(topK) - this.maxAddition();
    const known = new Set(this.scores.numbersOf(this.completed));
    return this.scores.bestKeys(count, (chunk, score) => score > threshold && !known.has(chunk));
  }

  /** Reads which chunks have the terms that are not complete; at first also chunks that have all of these. */
  private async complete(keys: readonly string[]): Promise<void> {
    const lists = this.scores.count === 0 ? this.intersections() : [];
    if (keys.length === 0 && lists.length === 0) return;
    const places = toPlaces(this.states.filter(({ isComplete }) => !isComplete));
    const found = await this.repository.findTermsOf(this.scope, places, keys, lists, MAX_INTERSECTION);
    for (const key of keys) this.completed.add(key);
    for (const { term: position, postings } of found) {
      const term = places[position]?.state.term;
      if (term !== undefined) this.scores.add(term, postings);
    }
  }

  /** Reads some chunks with the terms that are not complete, the rarest first, until there are enough. */
  private async fill(limit: number): Promise<void> {
    const open = this.states.filter(({ isComplete }) => !isComplete);
    for (const { term, places } of open.sort((one, other) => one.count - other.count)) {
      if (this.scores.count >= limit) return;
      for (const { postings } of await this.repository.findSome(this.scope, places, MAX_FILLED))
        this.scores.add(term, postings);
      this.computeScores();
    }
  }

  /** Returns the form with the highest weight of each word with frequent terms, in each index. */
  private intersections(): TermList[] {
    const forms = new Map<number, TermState>();
    for (const state of this.states) {
      const best = forms.get(state.term.word);
      if (
        !state.isComplete &&
        state.count > 0 &&
        (best === undefined || best.term.weight < state.term.weight)
      )
        forms.set(state.term.word, state);
    }
    const chosen = [...forms.values()].slice(0, MAX_INTERSECTED_WORDS);
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
