import { Injectable } from '@nestjs/common';
import { type Bm25Corpus, inverseDocumentFrequency } from '../model/bm25.js';
import { hashTerm, queryTerms, type QueryTerm } from '../model/tokenizer.js';
import { LexicalSearchRepository, type TermPostings } from './lexical-search.repository.js';
import { unpackKey } from './postings.js';
import { type ScoredPostings, scorePostings } from './score-postings.js';
import { bestChunks, bestMatches, bestRelevant, type WordMatch } from './scored-chunk.js';
import { MAX_LISTED_CHUNKS, type SearchScope } from './search-scope.repository.js';

/**
 * Number of chunks that are read for all terms of a question, and bounds of those that are read for one. A term of more
 * chunks is frequent: it finds none by itself, and only counts in the score of those that other terms have found.
 */
const POSTINGS = { total: 6_000, min: 400, max: 3_000 } as const;

/** Number of terms that are searched in all indexes together, and the number that is searched in each at least. */
const TERMS = { total: 600, min: 32 } as const;

/** Maximum number of chunks whose score is computed with the frequent terms. */
const MAX_RESCORED = 200;

/** Maximum number of chunks of each index that have all frequent terms and are found by these. */
const MAX_INTERSECTION = 100;

/** Maximum number of frequent words whose intersection is searched; the first ones. */
const MAX_INTERSECTED_WORDS = 8;

/** A term of the question in one of the indexes. */
interface SearchedTerm {
  readonly term: QueryTerm;
  readonly indexId: string;
  readonly hash: number;
}

/** The chunks of a searched term. */
interface FoundTerm extends SearchedTerm, Pick<TermPostings, 'postings'> {}

/** Ranks chunks by the words of a question. */
@Injectable()
export class LexicalSearchService {
  constructor(private readonly repository: LexicalSearchRepository) {}

  /**
   * Returns the chunks of a scope with at least one word of the question, the best first, followed by more of those that
   * are relevant. The score is BM25; the frequencies of terms come from the index itself, so no statistics have to be
   * kept up to date.
   * @param limit maximum number of chunks, and of relevant ones
   */
  async findByWords(scope: SearchScope, question: string, limit: number): Promise<WordMatch[]> {
    const searched = toSearchedTerms(scope, queryTerms(question).slice(0, termCap(scope)));
    if (searched.length === 0 || scope.matchingChunks === 0) return [];
    const corpus = toCorpus(scope);
    const cap = postingsCap(scope, searched.length);
    const found = withTerms(searched, await this.repository.findPostings(scope, searched, cap));
    const frequent = found.filter(({ postings }) => postings.count >= cap);
    const counts = new DocumentFrequencies(found, corpus);
    if (frequent.length === 0) return bestMatches(scoreTerms(found, counts, corpus), limit);

    // The chunks of rare terms are complete; those of frequent ones are an arbitrary part.
    const rare = found.filter(({ postings }) => postings.count < cap);
    const byRare = scoreTerms(rare, counts, corpus);
    const hasEnough = byRare.scores.size >= limit;
    const all = hasEnough && byRare.relevant.size >= limit ? byRare : scoreTerms(found, counts, corpus);
    const sample = bestChunks((hasEnough ? byRare : all).scores, MAX_RESCORED).map(({ key }) => key);
    const relevant = bestRelevant(all, limit).map(({ key }) => key);
    const keys = Array.from(new Set([...sample, ...relevant]), unpackKey);
    // The rare terms may not find the chunks that have several of the frequent ones.
    const lists = scope.indexes
      .map(({ id: indexId }) => ({ indexId, hashes: bestFormOfEachWord(frequent, indexId) }))
      .filter(({ hashes }) => hashes.length > 1);
    const rescored = withTerms(
      searched,
      await this.repository.findTermsOf(scope, searched, keys, lists, MAX_INTERSECTION),
    );
    counts.estimateFrequent(frequent, rescored, new Set(sample), scope);
    return bestMatches(scoreTerms(rescored, counts, corpus), limit);
  }
}

/** Number of chunks with each term of a question, in all indexes together. */
class DocumentFrequencies {
  private readonly counts = new Map<QueryTerm, number>();

  constructor(
    found: readonly FoundTerm[],
    private readonly corpus: Bm25Corpus,
  ) {
    for (const { term, postings } of found) this.add(term, postings.count);
  }

  /**
   * Estimates the counts of frequent terms by the share of the chunks that have them in a sample. It favors chunks that
   * have several terms of the question, but an estimate that is too high only brings the scores of the chunks with and
   * without the term closer together.
   */
  estimateFrequent(
    frequent: readonly FoundTerm[],
    rescored: readonly FoundTerm[],
    sample: ReadonlySet<string>,
    scope: SearchScope,
  ): void {
    const sizes = new Map(scope.indexes.map(({ id, chunks }) => [id, chunks]));
    for (const { term, indexId, hash, postings } of frequent) {
      let inSample = 0;
      rescored
        .find((one) => one.hash === hash && one.indexId === indexId)
        ?.postings.forEach((key) => {
          if (sample.has(key)) inSample += 1;
        });
      const share = (inSample + 1) / (sample.size + 2);
      const estimate = Math.max(postings.count, share * (sizes.get(indexId) ?? 0));
      this.add(term, estimate - postings.count);
    }
  }

  idfOf(term: QueryTerm): number {
    return inverseDocumentFrequency(this.corpus, this.counts.get(term) ?? 0);
  }

  private add(term: QueryTerm, count: number): void {
    this.counts.set(term, (this.counts.get(term) ?? 0) + count);
  }
}

/** Returns the maximum number of terms of a question that are searched; the first ones. */
function termCap({ indexes }: SearchScope): number {
  return Math.max(TERMS.min, Math.floor(TERMS.total / Math.max(1, indexes.length)));
}

/** Returns the maximum number of chunks that are read for a term; all of a small scope. */
function postingsCap({ ingestionIds }: SearchScope, terms: number): number {
  const { total, min, max } = POSTINGS;
  return ingestionIds === undefined
    ? Math.min(max, Math.max(min, Math.floor(total / terms)))
    : MAX_LISTED_CHUNKS + 1;
}

function toSearchedTerms({ indexes }: SearchScope, terms: readonly QueryTerm[]): SearchedTerm[] {
  return indexes.flatMap(({ id: indexId }) =>
    terms.map((term) => ({ term, indexId, hash: hashTerm(indexId, term.term) })),
  );
}

function toCorpus({ indexes }: SearchScope): Bm25Corpus {
  const count = indexes.reduce((sum, { chunks }) => sum + chunks, 0);
  const terms = indexes.reduce((sum, index) => sum + index.terms, 0);
  return { count, averageLength: count === 0 ? 0 : terms / count };
}

function withTerms(searched: readonly SearchedTerm[], found: readonly TermPostings[]): FoundTerm[] {
  return found.flatMap(({ term: position, postings }) => {
    const term = searched[position];
    return term === undefined ? [] : [{ ...term, postings }];
  });
}

function scoreTerms(
  found: readonly FoundTerm[],
  counts: DocumentFrequencies,
  corpus: Bm25Corpus,
): ScoredPostings {
  return scorePostings(
    found.map(({ term, postings }) => ({ term, idf: counts.idfOf(term), postings })),
    corpus,
  );
}

/** Returns the hash of the form with the highest weight of each word that is frequent in an index. */
function bestFormOfEachWord(frequent: readonly SearchedTerm[], indexId: string): number[] {
  const forms = new Map<number, SearchedTerm>();
  for (const one of frequent) {
    const best = forms.get(one.term.word);
    if (one.indexId === indexId && (best === undefined || best.term.weight < one.term.weight))
      forms.set(one.term.word, one);
  }
  return Array.from(forms.values(), ({ hash }) => hash).slice(0, MAX_INTERSECTED_WORDS);
}
