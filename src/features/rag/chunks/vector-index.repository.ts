import { Injectable } from '@nestjs/common';
import { Prisma } from '../../../generated/prisma/client.js';
import { ADVISORY_LOCKS, closeClient, PrismaService } from '../../../infra/database/index.js';
import { toBinaryVector } from './vector-codec.js';

/** Number of chunks of one dimension from which they get an index. */
export const MIN_INDEXED_CHUNKS = 5_000;

/** Maximum dimensions of an index on the type `halfvec` of pgvector. */
const MAX_INDEXED_DIMENSIONS = 4_000;

/** Prefix of the names of the indexes, before the dimensions. */
const INDEX_PREFIX = 'chunk_embeddings_halfvec_';

/** Prefix of the names of former indexes, with numbers of 32 bits, which are dropped. */
const FORMER_PREFIX = 'chunk_embeddings_hnsw_';

/** Time for which the list of the indexes is reused, in milliseconds. */
const LIST_MS = 5_000;

/** Memory for building an index. A graph that needs more is built more slowly. */
const BUILD_MEMORY = '256MB';

/** An HNSW index of pgvector. */
export interface VectorIndex {
  readonly dimensions: number;
  /** False while it is built, and if that failed. */
  readonly isValid: boolean;
  /** Estimated number of vectors. */
  readonly vectors: number;
}

/** The HNSW indexes. They are no Prisma migration, because servers without pgvector run the same migrations. */
@Injectable()
export class VectorIndexRepository {
  private listed: { readonly until: number; readonly indexes: Promise<readonly VectorIndex[]> } | undefined;

  constructor(private readonly prisma: PrismaService) {}

  /**
   * Installs pgvector in the database, unless it is there.
   * @throws pg.DatabaseError if the server does not have it or the role may not install it
   */
  async installExtension(): Promise<void> {
    await this.prisma.query('CREATE EXTENSION IF NOT EXISTS vector', []);
  }

  /** Returns the valid index of a dimension. At most a few seconds old. */
  async findValidIndex(dimensions: number): Promise<VectorIndex | undefined> {
    const now = performance.now();
    if (this.listed === undefined || this.listed.until <= now) {
      const indexes = this.listIndexes();
      const listed = { until: now + LIST_MS, indexes };
      this.listed = listed;
      // A failure is not reused.
      indexes.catch(() => {
        if (this.listed === listed) this.listed = undefined;
      });
    }
    const indexes = await this.listed.indexes;
    return indexes.find((index) => index.isValid && index.dimensions === dimensions);
  }

  /** Returns the indexes, whether they are valid or not. */
  async listIndexes(): Promise<VectorIndex[]> {
    const rows = await this.prisma.query<{ name: string; isValid: boolean; vectors: number }>(
      `SELECT pg_class.relname AS name, pg_index.indisvalid AS "isValid", pg_class.reltuples AS vectors
      FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
      WHERE pg_index.indrelid = 'chunk_embeddings'::regclass AND starts_with(pg_class.relname, $1)`,
      [INDEX_PREFIX],
    );
    return rows.map(({ name, ...row }) => ({ ...row, dimensions: Number(name.slice(INDEX_PREFIX.length)) }));
  }

  /** Returns the dimensions of which there are enough vectors for an index. */
  async listLargeDimensions(): Promise<number[]> {
    const rows = await this.prisma.run(
      (client) => client.$queryRaw<{ dimensions: number }[]>`
        SELECT collection_indexes.dimensions
        FROM collection_indexes JOIN ingestions ON ingestions.index_id = collection_indexes.id
        WHERE collection_indexes.dimensions <= ${MAX_INDEXED_DIMENSIONS}::int
        GROUP BY collection_indexes.dimensions
        HAVING sum(ingestions.embedded_count) >= ${MIN_INDEXED_CHUNKS}::int`,
    );
    return rows.map(({ dimensions }) => dimensions);
  }

  /**
   * Builds the index of a dimension, which takes minutes for a million vectors. An invalid one, left by a build that was
   * interrupted, is dropped first.
   * @returns false if another process is building one
   * @throws pg.DatabaseError if the build fails
   */
  async buildIndex(dimensions: number, signal: AbortSignal): Promise<boolean> {
    const session = await this.prisma.openSession('parley vector index');
    let backend: number | undefined;
    const cancel = (): void => {
      if (backend !== undefined) void this.cancelBuild(backend);
    };
    try {
      // The lock belongs to the session: the server releases it when the process dies.
      const { rows } = await session.query<{ locked: boolean; backend: number }>(
        'SELECT pg_try_advisory_lock($1, $2) AS locked, pg_backend_pid() AS backend',
        [ADVISORY_LOCKS.class, ADVISORY_LOCKS.vectorIndexes],
      );
      if (rows[0]?.locked !== true) return false;
      backend = rows[0].backend;
      if (signal.aborted) return false;
      signal.addEventListener('abort', cancel, { once: true });
      await session.query('SET statement_timeout = 0');
      await session.query(`SET maintenance_work_mem = '${BUILD_MEMORY}'`);
      const name = `${INDEX_PREFIX}${dimensions}`;
      // Nobody else is building: whatever there is, is left over from a build that failed.
      await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
      await session.query(
        `CREATE INDEX CONCURRENTLY ${name} ON chunk_embeddings
        USING hnsw ((embedding::${indexedType(dimensions)}) halfvec_cosine_ops) WHERE dimensions = ${dimensions}`,
      );
      await session.query(`DROP INDEX CONCURRENTLY IF EXISTS ${FORMER_PREFIX}${dimensions}`);
      this.listed = undefined;
      return true;
    } finally {
      signal.removeEventListener('abort', cancel);
      await closeClient(session);
    }
  }

  private async cancelBuild(backend: number): Promise<void> {
    await this.prisma.query('SELECT pg_cancel_backend($1)', [backend]).catch(() => undefined);
  }
}

/**
 * Returns the type of the vectors in the index of a dimension: numbers of 16 bits, which find the same vectors as those of
 * 32 bits in half the memory. A query must repeat the expression of the index, with the dimensions as a literal.
 */
function indexedType(dimensions: number): string {
  if (!Number.isSafeInteger(dimensions)) throw new TypeError('Dimensions are a whole number.');
  return `halfvec(${dimensions})`;
}

/** Returns the distance from a vector that orders by the index of its dimension. */
export function indexedDistance(vector: readonly number[]): Prisma.Sql {
  const type = Prisma.raw(indexedType(vector.length));
  return Prisma.sql`chunk_embeddings.embedding::${type} <=> ${toBinaryVector(vector)}::real[]::${type}`;
}

/** Returns the exact cosine of a vector and those of `chunk_embeddings`, computed by pgvector. */
export function exactCosine(vector: readonly number[]): Prisma.Sql {
  // Vectors have length 1, so that the inner product, which the operator negates, is the cosine.
  return Prisma.sql`-(chunk_embeddings.embedding::vector <#> ${toBinaryVector(vector)}::real[]::vector)`;
}
