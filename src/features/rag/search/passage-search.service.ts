import { Injectable, Logger } from '@nestjs/common';
import type { AccountAccess } from '../../../common/caller.js';
import { Metrics } from '../../../infra/metrics/index.js';
import { LexicalSearchService } from '../chunks/lexical-search.service.js';
import { PassageRepository } from '../chunks/passage.repository.js';
import { unpackKey } from '../chunks/postings.js';
import type { WordMatch } from '../chunks/scored-chunk.js';
import { type SearchScope, SearchScopeRepository } from '../chunks/search-scope.repository.js';
import { FLOOR_RANK, type FusedChunk, fuseLegs, isRelevant } from './fuse-hits.js';
import type { LegReport, SearchHit, SearchRequest, SearchResult } from './search-request.js';
import { VectorLeg, type VectorLegResult } from './vector-leg.js';

/** Number of chunks that each way of searching contributes to the fusion: a minimum, and a factor of those wanted. */
const LEG_LIMIT = { min: FLOOR_RANK, factor: 4 } as const;

/** Maximum number of searches for one request, if documents are replaced while they are found. */
const MAX_ROUNDS = 3;

interface LexicalLegResult {
  readonly chunks: readonly WordMatch[];
  readonly report: LegReport;
}

/** The result of one round, and whether all that it found was still there. */
interface SearchRound extends SearchResult {
  readonly isComplete: boolean;
}

/** Searches the collections of an account for passages. */
@Injectable()
export class PassageSearchService {
  private readonly logger = new Logger(PassageSearchService.name);

  constructor(
    private readonly scopes: SearchScopeRepository,
    private readonly words: LexicalSearchService,
    private readonly vectors: VectorLeg,
    private readonly passages: PassageRepository,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Returns the passages for a query, the best first. If the embedding model is unavailable, a hybrid search is one by
   * words, and a warning says so.
   * @throws EmbeddingMismatchError if the model of a collection now returns other vectors
   * @throws AppError as `LlmService.embed` does
   */
  async search(caller: AccountAccess, request: SearchRequest, signal: AbortSignal): Promise<SearchResult> {
    for (let round = 1; ; round += 1) {
      const { isComplete, ...result } = await this.searchOnce(caller, request, signal);
      if (isComplete || round >= MAX_ROUNDS) return result;
    }
  }

  private async searchOnce(
    caller: AccountAccess,
    request: SearchRequest,
    signal: AbortSignal,
  ): Promise<SearchRound> {
    const access = { userId: caller.userId, collectionIds: request.collections };
    const scope = await this.scopes.readScope(access, request.filter);
    const limit = Math.max(LEG_LIMIT.min, LEG_LIMIT.factor * request.topK);
    const [lexical, vector] = await Promise.all([
      request.mode === 'vector' ? undefined : this.searchWords(scope, request, limit),
      request.mode === 'lexical'
        ? undefined
        : this.vectors.search(caller, scope, { ...request, limit }, signal),
    ]);
    this.record(lexical?.report, vector);
    if (lexical === undefined && vector?.failure !== undefined) throw vector.failure;
    const fused = selectBest(request, lexical, vector);
    const hits = await this.readHits(scope, fused);
    return {
      hits,
      legs: [lexical?.report, vector?.report].filter((report) => report !== undefined),
      warnings: vector?.failure === undefined ? [] : [vector.report.reason ?? vector.failure.message],
      isComplete: hits.length === fused.length,
    };
  }

  /** Records what each way of searching did. Queries are in no log. */
  private record(lexical: LegReport | undefined, vector: VectorLegResult | undefined): void {
    if (lexical !== undefined) this.observe(lexical, 'words');
    if (vector?.failure !== undefined) this.observe(vector.report, 'none', 'failed');
    else if (vector?.report.method !== undefined) this.observe(vector.report, vector.report.method);
    this.logger.debug({ legs: [lexical, vector?.report].filter((leg) => leg !== undefined) }, 'searched');
  }

  private observe(
    { leg, found, durationMs }: LegReport,
    method: string,
    result = found > 0 ? 'found' : 'nothing',
  ): void {
    const labels = { search_leg: leg, search_method: method, search_result: result };
    this.metrics.searchLegDuration.observe(labels, durationMs / 1000);
  }

  private async searchWords(
    scope: SearchScope,
    { query, topK }: SearchRequest,
    limit: number,
  ): Promise<LexicalLegResult> {
    const started = performance.now();
    const chunks = await this.words.findByWords(scope, query, topK, limit);
    const report = { leg: 'lexical', found: chunks.length, durationMs: performance.now() - started } as const;
    return { chunks, report: chunks.length > 0 ? report : { ...report, reason: emptyReason(scope) } };
  }

  /** Reads the passages of the best chunks. Those that were replaced or deleted meanwhile are missing. */
  private async readHits({ access }: SearchScope, fused: readonly FusedChunk[]): Promise<SearchHit[]> {
    if (fused.length === 0) return [];
    const keys = fused.map(({ key }) => unpackKey(key));
    const found = new Map((await this.passages.readPassages(access, keys)).map((one) => [one.key, one]));
    return fused.flatMap(({ key, isRelevantByWords: _isRelevant, ...scored }) => {
      const passage = found.get(key);
      if (passage === undefined) return [];
      const { key: _key, ...shown } = passage;
      return [{ ...shown, ...scored }];
    });
  }
}

/** Merges the legs, and returns the best chunks that are relevant. */
function selectBest(
  { topK, minScore, includeIrrelevant }: SearchRequest,
  lexical: LexicalLegResult | undefined,
  vector: VectorLegResult | undefined,
): FusedChunk[] {
  // A leg that is off or has failed has no part in the score.
  const isVectorOn = vector !== undefined && (lexical === undefined || vector.report.reason === undefined);
  const fused = fuseLegs({
    lexical: lexical?.chunks,
    vector: isVectorOn ? vector.chunks : undefined,
    vectorWeight: vector?.weight ?? 0,
  });
  const minCosine = minScore ?? (includeIrrelevant === true ? -Infinity : (vector?.minCosine ?? -Infinity));
  const isWanted = (chunk: FusedChunk): boolean =>
    isRelevant(chunk, minCosine) || (includeIrrelevant === true && chunk.scores.lexical !== null);
  return fused.filter(isWanted).slice(0, topK);
}

function emptyReason({ indexes, matchingChunks, filter }: SearchScope): string {
  if (indexes.every(({ chunks }) => chunks === 0)) return 'No document of the collection is ready.';
  if (matchingChunks === 0 && filter !== undefined) return 'No document matches the filter.';
  return 'No passage has a word of the query.';
}
