import { Injectable } from '@nestjs/common';
import { hashTerm, queryTerms, type QueryTerm } from '../model/tokenizer.js';
import { LexicalSearchRepository } from './lexical-search.repository.js';
import type { SearchedTerm } from './term-choice.js';
import { ThresholdSearch, toCorpus } from './threshold-search.js';
import { scorePostings } from './score-postings.js';
import { bestMatches, type WordMatch } from './scored-chunk.js';
import type { SearchScope } from './search-scope.repository.js';
import { inverseDocumentFrequency } from '../model/bm25.js';

/** Number of terms that are searched in all indexes together, and the number that is searched in each at least. */
const TERMS = { total: 600, min: 32 } as const;

/** Ranks chunks by the words of a question. */
@Injectable()
export class LexicalSearchService {
  constructor(private readonly repository: LexicalSearchRepository) {}

  /**
   * Returns the chunks of a scope with at least one word of the question, the best first, followed by more of those that
   * are relevant. The score is BM25; the frequencies of terms come from the index itself, so no statistics have to be
   * kept up to date.
   * @param topK number of chunks that must be right, also in a large scope
   * @param limit maximum number of chunks, and of relevant ones, at least `topK`; those beyond `topK` serve the fusion
   */
  async findByWords(scope: SearchScope, question: string, topK: number, limit: number): Promise<WordMatch[]> {
    const terms = toSearchedTerms(scope, queryTerms(question).slice(0, termCap(scope)));
    if (terms.length === 0 || scope.matchingChunks === 0) return [];
    return scope.ingestionIds === undefined
      ? new ThresholdSearch(this.repository, scope, terms).find(topK, limit)
      : this.findListed(scope, terms, limit);
  }

  /** Ranks all chunks of a small scope. */
  private async findListed(
    scope: SearchScope,
    terms: readonly SearchedTerm[],
    limit: number,
  ): Promise<WordMatch[]> {
    const places = terms.flatMap(({ term, places: found }) => found.map((place) => ({ ...place, term })));
    const lists = await this.repository.findListed(scope, places);
    const counts = new Map<QueryTerm, number>();
    const found = lists.flatMap(({ term: position, postings }) => {
      const term = places[position]?.term;
      if (term === undefined) return [];
      counts.set(term, (counts.get(term) ?? 0) + postings.count);
      return [{ term, postings }];
    });
    const corpus = toCorpus(scope);
    const scored = found.map((list) => ({
      ...list,
      idf: inverseDocumentFrequency(corpus, counts.get(list.term) ?? 0),
    }));
    return bestMatches(scorePostings(scored, corpus), limit);
  }
}

/** Returns the maximum number of terms of a question that are searched; the first ones. */
function termCap({ indexes }: SearchScope): number {
  return Math.max(TERMS.min, Math.floor(TERMS.total / Math.max(1, indexes.length)));
}

function toSearchedTerms({ indexes }: SearchScope, terms: readonly QueryTerm[]): SearchedTerm[] {
  return terms.map((term) => ({
    term,
    places: indexes.map(({ id: indexId }) => ({ indexId, hash: hashTerm(indexId, term.term) })),
  }));
}
