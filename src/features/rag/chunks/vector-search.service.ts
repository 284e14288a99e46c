import { Injectable } from '@nestjs/common';
import { bestChunks, type ScoredChunk } from './scored-chunk.js';
import { MIN_INDEXED_CHUNKS, VectorIndexRepository } from './vector-index.repository.js';
import { type NearestQuery, VectorSearchRepository } from './vector-search.repository.js';

/** Ways to find the nearest vectors: all are compared, the HNSW index of pgvector, or the signs of the vectors. */
export type VectorMethod = 'exact' | 'hnsw' | 'signs';

/** Minimum share of the vectors of an HNSW index that a scope must have, so that the index finds enough of them. */
const MIN_INDEXED_SHARE = 0.02;

/**
 * Number of values of vectors that are compared exactly after a comparison by signs, and bounds of the number of chunks.
 * The fewer dimensions, the less the signs say, and the more chunks can be compared in the same time.
 */
const SIGN_CANDIDATES = { values: 80_000, min: 100, max: 2_000, factor: 20 } as const;

/** The nearest chunks, and how they were found. */
export interface NearestChunks {
  readonly chunks: readonly ScoredChunk[];
  readonly method: VectorMethod;
}

/** Finds the chunks that are nearest to a vector, in the fastest way that the database has. */
@Injectable()
export class VectorSearchService {
  constructor(
    private readonly repository: VectorSearchRepository,
    private readonly indexes: VectorIndexRepository,
  ) {}

  /**
   * Returns the nearest chunks of a scope, the nearest first. Scores are cosines.
   * @param topK number of chunks that must be right
   * @param limit maximum number of chunks, at least `topK`; those beyond `topK` serve the fusion
   */
  async findNearest(query: NearestQuery, topK: number, limit: number): Promise<NearestChunks> {
    if (query.scope.ingestionIds !== undefined) {
      const all = await this.repository.scoreAll(query);
      return { chunks: best(all, limit), method: 'exact' };
    }
    if (await this.canUseIndex(query)) {
      const found = await this.repository.findByIndex(query, limit);
      // An iterative scan that gave up has found too few.
      if (found.length >= Math.min(limit, query.scope.matchingChunks))
        return { chunks: best(found, limit), method: 'hnsw' };
    }
    const found = await this.repository.findBySigns(query, signCandidates(query, topK));
    return { chunks: best(found, limit), method: 'signs' };
  }

  private async canUseIndex({ scope, vector }: NearestQuery): Promise<boolean> {
    if (scope.matchingChunks < MIN_INDEXED_CHUNKS) return false;
    const index = await this.indexes.findValidIndex(vector.length);
    return index !== undefined && scope.matchingChunks >= MIN_INDEXED_SHARE * index.vectors;
  }
}

function signCandidates({ vector }: NearestQuery, topK: number): number {
  const { values, min, max, factor } = SIGN_CANDIDATES;
  return Math.max(min, factor * topK, Math.min(max, Math.floor(values / vector.length)));
}

function best(chunks: readonly ScoredChunk[], limit: number): ScoredChunk[] {
  return bestChunks(
    chunks.map(({ key, score }) => [key, score] as const),
    limit,
  );
}
