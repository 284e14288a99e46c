import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import type { AccountAccess } from '../../../common/caller.js';
import type { AppError } from '../../../common/errors.js';
import { ragConfig } from '../../../config/index.js';
import { bestChunks, type ScoredChunk } from '../chunks/scored-chunk.js';
import type { SearchScope } from '../chunks/search-scope.repository.js';
import { toUnitVector } from '../chunks/vector-codec.js';
import { VectorSearchService } from '../chunks/vector-search.service.js';
import { EmbeddingMismatchError } from './embedding-mismatch-error.js';
import { embeddingProfile } from './embedding-profile.js';
import { isModelUnavailable } from './is-model-unavailable.js';
import { QueryEmbedder } from './query-embedder.js';
import type { LegReport, SearchRequest } from './search-request.js';

/** The result of a search by vectors. */
export interface VectorLegResult {
  readonly chunks: readonly ScoredChunk[];
  readonly report: LegReport;
  /** Share of the vectors in the score of a hybrid search. */
  readonly weight: number;
  /** Minimum cosine of relevant passages. */
  readonly minCosine: number;
  /** Set if the search failed because its model is unavailable. */
  readonly failure?: AppError;
}

/** The indexes of a search that have vectors of one model. */
interface EmbeddedIndexes {
  readonly model: string;
  readonly dimensions: number;
  readonly indexIds: readonly string[];
}

/** Searches by vectors: embeds the query with the model of each index and finds the nearest chunks. */
@Injectable()
export class VectorLeg {
  private readonly logger = new Logger(VectorLeg.name);

  constructor(
    private readonly embedder: QueryEmbedder,
    private readonly vectors: VectorSearchService,
    @Inject(ragConfig.KEY)
    private readonly config: Pick<ConfigType<typeof ragConfig>, 'vectorWeight' | 'minCosine'>,
  ) {}

  /**
   * Returns the nearest chunks. The time of the report is without the call to the embedding model.
   * @throws EmbeddingMismatchError, AppError as `LlmService.embed` does, unless the model is unavailable
   */
  async search(
    caller: AccountAccess,
    scope: SearchScope,
    {
      query,
      topK,
      limit,
      handling,
    }: Pick<SearchRequest, 'query' | 'topK' | 'handling'> & { readonly limit: number },
    signal: AbortSignal,
  ): Promise<VectorLegResult> {
    const groups = groupByModel(scope);
    const profile = this.profileOf(groups);
    const [first] = groups;
    if (first === undefined || scope.matchingChunks === 0)
      return { ...profile, chunks: [], report: report(0, 0, { reason: emptyReason(scope) }) };
    try {
      const embedded = await Promise.all(
        groups.map(async (group) => ({
          ...group,
          vector: await this.embed(caller, { query, handling }, group, signal),
        })),
      );
      const started = performance.now();
      const found = await Promise.all(
        embedded.map((group) => this.vectors.findNearest({ scope, ...group }, topK, limit)),
      );
      const chunks = bestChunks(
        found.flatMap((one) => one.chunks.map(({ key, score }) => [key, score] as const)),
        limit,
      );
      const method = found[0]?.method ?? 'exact';
      return { ...profile, chunks, report: report(chunks.length, performance.now() - started, { method }) };
    } catch (error) {
      if (signal.aborted || !isModelUnavailable(error)) throw error;
      this.logger.warn(
        { err: error, model: first.model },
        'could not embed a query; searching by words only',
      );
      const reason = `The embedding model is unavailable: ${error.message}`;
      return { ...profile, chunks: [], report: report(0, 0, { reason }), failure: error };
    }
  }

  /** Returns the vector of a query, of length 1. */
  private async embed(
    caller: AccountAccess,
    asked: Pick<SearchRequest, 'query' | 'handling'>,
    { model, dimensions }: EmbeddedIndexes,
    signal: AbortSignal,
  ): Promise<number[]> {
    const vector = await this.embedder.embedQuery(caller, { ...asked, model }, signal);
    if (vector.length !== dimensions) throw new EmbeddingMismatchError(model, vector.length, dimensions);
    return toUnitVector(vector);
  }

  /** Returns how the vectors of the models are used: of several models, the largest minimum. */
  private profileOf(groups: readonly EmbeddedIndexes[]): { weight: number; minCosine: number } {
    const minima = groups.map(({ model }) => embeddingProfile(model).minCosine);
    return {
      weight: this.config.vectorWeight,
      minCosine: this.config.minCosine ?? Math.max(-1, ...minima),
    };
  }
}

function groupByModel({ indexes }: SearchScope): EmbeddedIndexes[] {
  const groups = new Map<string, EmbeddedIndexes & { readonly indexIds: string[] }>();
  for (const { id, embeddingModel: model, dimensions } of indexes) {
    if (model === null || dimensions === null) continue;
    const key = `${dimensions} ${model}`;
    const group = groups.get(key) ?? { model, dimensions, indexIds: [] };
    groups.set(key, group);
    group.indexIds.push(id);
  }
  return [...groups.values()];
}

function emptyReason({ indexes, filter }: SearchScope): string {
  if (indexes.length === 0 || indexes.every(({ chunks }) => chunks === 0))
    return 'No document of the collection is ready.';
  if (indexes.every(({ embeddingModel }) => embeddingModel === null))
    return 'The collection has no embedding model.';
  return filter === undefined ? 'The collection has no vectors yet.' : 'No document matches the filter.';
}

function report(found: number, durationMs: number, details: Pick<LegReport, 'method' | 'reason'>): LegReport {
  return { leg: 'vector', found, durationMs, ...details };
}
