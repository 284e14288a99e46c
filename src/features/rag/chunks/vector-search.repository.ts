import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService } from '../../../infra/database/index.js';
import { withReadableIndexes } from './access.sql.js';
import { packKey } from './postings.js';
import type { ScoredChunk } from './scored-chunk.js';
import { isPreparable, isInScope, type SearchScope } from './search-scope.repository.js';
import { dotProductOfBinary, toMagnitudeBits, toSignBits } from './vector-codec.js';
import { exactCosine, indexedDistance } from './vector-index.repository.js';

/** A search for the nearest vectors. */
export interface NearestQuery {
  readonly scope: SearchScope;
  /** The indexes of the scope whose vectors are of the same model. */
  readonly indexIds: readonly string[];
  /** Of length 1. */
  readonly vector: readonly number[];
}

/** Place of the exact comparison of vectors: pgvector in the database, which sends no vectors, or this process. */
export type ExactComparison = 'database' | 'process';

/**
 * Bounds of the list of candidates in a scan of an HNSW index, and its length for each vector that is wanted. The index
 * does not know the filter: of the candidates only the matching ones are left.
 */
const CANDIDATES = { factor: 1.25, min: 220, max: 1_000 } as const;

/** Maximum number of vectors that an iterative scan of an HNSW index visits. */
const MAX_SCANNED = 20_000;

/** Finds the chunks whose vectors are nearest to another one. Scores are cosines. */
@Injectable()
export class VectorSearchRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Returns all chunks of a scope, whose ingestions are listed, with their exact cosines. */
  async scoreAll(query: NearestQuery, comparison: ExactComparison): Promise<ScoredChunk[]> {
    return this.score(
      query,
      Prisma.sql`
        ${withReadableIndexes(query.scope.access)}
        SELECT uuid_send(ingestion_id) || int4send(ordinal) AS key, ${comparedColumn(query, comparison)}
        FROM chunk_embeddings
        WHERE ${isSearched(query, 'chunk_embeddings')} AND dimensions = ${query.vector.length}::int`,
    );
  }

  /**
   * Returns the chunks whose vectors have the most signs in common with the vector, with their exact cosines.
   * @param candidates number of chunks that are compared exactly
   */
  async findBySigns(
    query: NearestQuery,
    comparison: ExactComparison,
    candidates: number,
  ): Promise<ScoredChunk[]> {
    return this.score(
      query,
      Prisma.sql`
        ${withReadableIndexes(query.scope.access)}
        SELECT uuid_send(nearest.ingestion_id) || int4send(nearest.ordinal) AS key,
          ${comparedColumn(query, comparison)}
        FROM (
          SELECT ingestion_id, ordinal FROM (
            -- OFFSET keeps the planner from computing the difference twice.
            SELECT ingestion_id, ordinal, bits # ${toSignBits(query.vector)}::varbit AS difference
            FROM ${signsOf(query)} WHERE ${isSearched(query, 'chunk_signs')} OFFSET 0
          ) AS compared
          ORDER BY ${signDistance(query.vector)} LIMIT ${candidates}::int
        ) AS nearest
        JOIN chunk_embeddings ON chunk_embeddings.ingestion_id = nearest.ingestion_id
          AND chunk_embeddings.ordinal = nearest.ordinal AND chunk_embeddings.dimensions = ${query.vector.length}::int`,
    );
  }

  /**
   * Returns the nearest chunks by the HNSW index of their dimension, or fewer than there are if the scope is a small
   * part of the index.
   * @param share share of the vectors of the index that are in the scope
   */
  async findByIndex(query: NearestQuery, limit: number, share: number): Promise<ScoredChunk[]> {
    const { text, values } = nearestByIndex(query, limit);
    const { factor, min, max } = CANDIDATES;
    const candidates = Math.min(max, Math.max(min, Math.ceil((factor * limit) / share)));
    const settings = {
      'hnsw.ef_search': String(candidates),
      'hnsw.iterative_scan': 'relaxed_order',
      'hnsw.max_scan_tuples': String(MAX_SCANNED),
      // With an unknown share of matching rows the planner may prefer to compute all distances and to sort them.
      enable_sort: 'off',
      enable_seqscan: 'off',
      jit: 'off',
    };
    const rows = await this.prisma.query<{ ingestionId: string; ordinal: number; score: number }>(
      text,
      values,
      { settings, isPrepared: isPreparable(query.scope) },
    );
    return rows.map(({ score, ...key }) => ({ key: packKey(key), score }));
  }

  private async score(query: NearestQuery, { text, values }: Prisma.Sql): Promise<ScoredChunk[]> {
    // The best plan for the ids of a small scope depends on them.
    const isPrepared = query.scope.ingestionIds === undefined && isPreparable(query.scope);
    const rows = await this.prisma.query<ComparedRow>(text, values, { isPrepared });
    return rows.map(({ key, ...compared }) => ({
      key: key.toString('latin1'),
      score: 'score' in compared ? compared.score : dotProductOfBinary(query.vector, compared.vector),
    }));
  }
}

type ComparedRow = { readonly key: Buffer } & ({ readonly score: number } | { readonly vector: Buffer });

/** Returns the column with the exact cosine of a vector, or with the vector itself for this process to compare. */
function comparedColumn({ vector }: NearestQuery, comparison: ExactComparison): Prisma.Sql {
  if (comparison === 'process') return Prisma.sql`array_send(chunk_embeddings.embedding) AS vector`;
  return Prisma.sql`${exactCosine(vector)} AS score`;
}

/**
 * Returns the expression of a distance by signs: the number of dimensions in which they differ. Dimensions in which the
 * vector is near zero say little: the third of them with the smallest values does not count, and the third with the
 * largest counts twice. This halves the number of candidates for the same recall.
 */
function signDistance(vector: readonly number[]): Prisma.Sql {
  const [most, largest] = [1 / 3, 2 / 3].map((share) => toMagnitudeBits(vector, share));
  return Prisma.sql`bit_count(difference & ${most}::varbit) + bit_count(difference & ${largest}::varbit)`;
}

/** Builds the query that reads the HNSW index. */
export function nearestByIndex(query: NearestQuery, limit: number): Prisma.Sql {
  return Prisma.sql`
    ${withReadableIndexes(query.scope.access)}
    SELECT ingestion_id AS "ingestionId", ordinal, ${exactCosine(query.vector)} AS score
    FROM chunk_embeddings
    WHERE dimensions = ${Prisma.raw(String(query.vector.length))} AND ${isSearched(query, 'chunk_embeddings')}
    ORDER BY ${indexedDistance(query.vector)} LIMIT ${limit}::int`;
}

/** Returns the table of signs. If the documents are listed, it is read by them: the planner may read all of the index. */
function signsOf({ scope: { filteredIds } }: NearestQuery): Prisma.Sql {
  if (filteredIds === undefined) return Prisma.sql`chunk_signs`;
  return Prisma.sql`unnest(${filteredIds}::uuid[]) AS listed (id) CROSS JOIN LATERAL (
    SELECT * FROM chunk_signs WHERE ingestion_id = listed.id OFFSET 0) AS chunk_signs`;
}

/** Returns the condition that a row of a table of vectors is searched. */
function isSearched({ scope, indexIds }: NearestQuery, table: string): Prisma.Sql {
  const inScope = isInScope(scope, table);
  // Vectors of other models may have other dimensions.
  return indexIds.length === scope.indexes.length
    ? inScope
    : Prisma.sql`${Prisma.raw(`${table}.index_id`)} = ANY(${[...indexIds]}::uuid[]) AND ${inScope}`;
}
