import { Injectable } from '@nestjs/common';
import { bestChunks, type ScoredChunk } from './scored-chunk.js';
import { MIN_INDEXED_CHUNKS, type VectorIndex, VectorIndexRepository } from './vector-index.repository.js';
import {
  type ExactComparison,
  type NearestQuery,
  VectorSearchRepository,
} from './vector-search.repository.js';

/** Ways to find the nearest vectors: all are compared, the HNSW index of pgvector, or the signs of the vectors. */
export type VectorMethod = 'exact' | 'hnsw' | 'signs';

/**
 * Minimum share of the vectors of an HNSW index that a scope must have. Below it, a scan visits so many vectors of others
 * that the signs of the scope are compared as fast.
 */
const MIN_INDEXED_SHARE = 0.3;

/**
 * Number of values of vectors that are compared exactly after a comparison by signs, and bounds of the number of chunks.
 * The fewer dimensions, the less the signs say, and the more chunks can be compared in the same time. The database
 * compares faster than it sends vectors to this process.
 */
const SIGN_CANDIDATES = {
  process: { values: 80_000, min: 100, max: 2_000, factor: 20 },
  database: { values: 200_000, min: 200, max: 2_000, factor: 40 },
} as const satisfies Record<ExactComparison, object>;

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
    const index = await this.indexes.findValidIndex(query.vector.length);
    // A valid index shows that pgvector is there.
    const comparison = index === undefined ? 'process' : 'database';
    if (query.scope.ingestionIds !== undefined) {
      const all = await this.repository.scoreAll(query, comparison);
      return { chunks: best(all, limit), method: 'exact' };
    }
    const share = index === undefined ? 0 : shareOf(query, index);
    if (share >= MIN_INDEXED_SHARE) {
      const found = await this.repository.findByIndex(query, limit, share);
      // An iterative scan that gave up has found too few.
      if (found.length >= Math.min(limit, query.scope.matchingChunks))
        return { chunks: best(found, limit), method: 'hnsw' };
    }
    const candidates = signCandidates(query, topK, comparison);
    const found = await this.repository.findBySigns(query, comparison, candidates);
    return { chunks: best(found, limit), method: 'signs' };
  }
}

/** Returns the share of the vectors of an index that are in a scope; 0 if these are too few for a scan. */
function shareOf({ scope }: NearestQuery, index: VectorIndex): number {
  if (scope.matchingChunks < MIN_INDEXED_CHUNKS) return 0;
  return Math.min(1, scope.matchingChunks / Math.max(1, index.vectors));
}

function signCandidates({ vector }: NearestQuery, topK: number, comparison: ExactComparison): number {
  const { values, min, max, factor } = SIGN_CANDIDATES[comparison];
  return Math.max(min, factor * topK, Math.min(max, Math.floor(values / vector.length)));
}

function best(chunks: readonly ScoredChunk[], limit: number): ScoredChunk[] {
  return bestChunks(
    chunks.map(({ key, score }) => [key, score] as const),
    limit,
  );
}
