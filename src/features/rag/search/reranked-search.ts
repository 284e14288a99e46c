import { Injectable } from '@nestjs/common';
import type { AccountAccess } from '../../../common/caller.js';
import { PassageRepository } from '../chunks/passage.repository.js';
import { packKey } from '../chunks/postings.js';
import { PassageReranker } from './passage-reranker.js';
import { PassageSearchService } from './passage-search.service.js';
import {
  type LegReport,
  MAX_TOP_K,
  type SearchHit,
  type SearchRequest,
  type SearchResult,
} from './search-request.js';

/** Number of passages that a model orders: a minimum, and a factor of those wanted. At most `MAX_TOP_K`. */
const CANDIDATES = { min: 20, factor: 4 } as const;

/** Searches for passages, and lets a model order them if the request names one. */
@Injectable()
export class RerankedSearch {
  constructor(
    private readonly searches: PassageSearchService,
    private readonly reranker: PassageReranker,
    private readonly passages: PassageRepository,
  ) {}

  /**
   * Returns the passages for a query, the best first.
   * @throws AppError as `PassageSearchService.search` and `PassageReranker.rankPassages` do
   */
  async search(caller: AccountAccess, request: SearchRequest, signal: AbortSignal): Promise<SearchResult> {
    const { query, rerank: model, topK } = request;
    if (model === undefined) return this.searches.search(caller, request, signal);
    const candidates = Math.min(MAX_TOP_K, Math.max(CANDIDATES.min, CANDIDATES.factor * topK));
    const found = await this.searches.search(caller, { ...request, topK: candidates }, signal);
    const started = performance.now();
    const ranking = await this.reranker.rankPassages(caller, { query, model }, found.hits, signal);
    const durationMs = performance.now() - started;
    const hits = ranking.isAsked ? await this.dropGone(caller, request, ranking.hits) : ranking.hits;
    const { problem } = ranking;
    const report: LegReport = {
      leg: 'rerank',
      found: ranking.hits.filter(({ ranks }) => typeof ranks.rerank === 'number').length,
      durationMs,
      ...(problem !== undefined && { reason: problem }),
      ...(!ranking.isAsked && problem === undefined && { reason: 'There are no two passages to order.' }),
    };
    return {
      hits: hits.slice(0, topK),
      legs: [...found.legs, report],
      warnings: problem === undefined ? found.warnings : [...found.warnings, problem],
      rerank: ranking.call,
    };
  }

  /** Drops passages that were deleted or replaced, or are no longer shared, while the model ordered them. */
  private async dropGone(
    { userId }: AccountAccess,
    { collections: collectionIds }: SearchRequest,
    hits: readonly SearchHit[],
  ): Promise<SearchHit[]> {
    const present = await this.passages.readPassages({ userId, collectionIds }, hits);
    const keys = new Set(present.map(({ key }) => key));
    return hits.filter((hit) => keys.has(packKey(hit)));
  }
}
