import { Injectable } from '@nestjs/common';
import type { Caller } from '../../../common/caller.js';
import { AppError, InvalidRequestError } from '../../../common/errors.js';
import { ModelCatalog } from '../../../llm/index.js';
import { parseMetadataFilter } from '../model/filter.js';
import { PassageFinder } from './passage-finder.js';
import { RerankedSearch } from './reranked-search.js';
import type { SearchBody, SearchScopeBody } from './search.dto.js';
import { DEFAULT_TOP_K, type SearchRequest, type SearchResult } from './search-request.js';

/** Converts requests to searches: checks their filter, their model, and which collections the account may read. */
@Injectable()
export class ScopedSearch {
  constructor(
    private readonly searches: RerankedSearch,
    private readonly passages: PassageFinder,
    private readonly models: ModelCatalog,
  ) {}

  /**
   * Searches for the query of a request.
   * @throws InvalidRequestError, NotFoundError, AppError as `RerankedSearch.search` does
   */
  async search(caller: Caller, body: SearchBody, signal: AbortSignal): Promise<SearchResult> {
    const request = await this.toRequest(caller, body, body.query);
    return this.searches.search(
      caller,
      { ...request, includeIrrelevant: true, explain: body.explain ?? false },
      signal,
    );
  }

  /**
   * Returns the search of a request.
   * @throws InvalidRequestError, NotFoundError, AppError `model_not_found`, `provider_unavailable`
   */
  async toRequest({ userId }: Caller, body: SearchScopeBody, query: string): Promise<SearchRequest> {
    const { collection, collections, mode = 'hybrid', top_k: topK = DEFAULT_TOP_K } = body;
    if (collection !== undefined && collections !== undefined) {
      const message = 'collections must not be sent together with collection';
      throw new InvalidRequestError(`${message}.`, [{ field: 'collections', message }]);
    }
    const filter = body.filter === undefined ? undefined : parseMetadataFilter(body.filter);
    const rerank = body.rerank === undefined ? undefined : await this.resolveReranker(body.rerank);
    return {
      query,
      collections: await this.passages.resolveCollections(userId, collections ?? [collection]),
      mode,
      topK,
      filter,
      minScore: body.min_score,
      rerank,
      explain: false,
    };
  }

  private async resolveReranker(name: string): Promise<string> {
    try {
      return await this.models.canonicalName(name);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'model_not_found') throw error;
      throw new AppError(error.code, error.message, { param: 'rerank', cause: error });
    }
  }
}
