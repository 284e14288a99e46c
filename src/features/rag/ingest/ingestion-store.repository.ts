import { Injectable } from '@nestjs/common';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import { UsageRepository } from '../../usage/index.js';
import { ChunkRepository } from '../chunks/chunk.repository.js';
import type { ChunkDraft } from '../model/chunker.js';
import {
  commitUsage,
  type EmbeddingUsage,
  holds,
  INGESTION_LEASE_SECONDS,
  serializeWarnings,
} from './ingestion.repository.js';
import type { ClaimedIngestion, IngestionWarning } from './ingestion.js';

/** Maximum duration of a transaction that stores chunks, in milliseconds. */
const STORE_TIMEOUT_MS = 30_000;

/** State of an index: the one that searches use, or the one that will replace it. */
type IndexStatus = 'active' | 'building';

/** Consecutive vectors of an ingestion, and the call that they come from. */
export interface NewVectors {
  /** Ordinal of the chunk of the first one. */
  readonly first: number;
  readonly vectors: readonly (readonly number[])[];
  readonly usage: EmbeddingUsage;
  /** Warnings to be added. */
  readonly warnings: readonly IngestionWarning[];
}

/** Stores what an ingestion produces. Each write holds the lease, and none changes anything if it is repeated. */
@Injectable()
export class IngestionStoreRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly chunks: ChunkRepository,
    private readonly usage: UsageRepository,
  ) {}

  /**
   * Begins the stage of chunking.
   * @returns false if the claim is no longer valid
   */
  async beginChunking(
    claimed: ClaimedIngestion,
    text: { readonly pageCount: number; readonly warnings: readonly IngestionWarning[] },
  ): Promise<boolean> {
    const updated = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE ingestions
        SET stage = 'chunking', page_count = ${text.pageCount}::int, heartbeat_at = now(),
          warnings = ${serializeWarnings(text.warnings)}::jsonb
        WHERE ${holds(claimed)}`,
    );
    return updated === 1;
  }

  /**
   * Stores consecutive chunks with their terms.
   * @returns false if the claim is no longer valid
   */
  storeChunks(claimed: ClaimedIngestion, chunks: readonly ChunkDraft[]): Promise<boolean> {
    const first = chunks[0]?.ordinal ?? 0;
    const next = first + chunks.length;
    return this.prisma.transaction(async (transaction) => {
      // The lock of this row makes a cancellation, a deletion and a second claim wait for the commit; a cascade of a
      // deletion then sees the chunks.
      const counts = await lockClaim(transaction, claimed);
      if (counts === undefined) return false;
      // The confirmation of an earlier commit was lost.
      if (counts.chunkedCount >= next) return true;
      if (counts.chunkedCount !== first) throw new Error('Chunks of an ingestion are stored out of order.');
      const { terms } = await this.chunks.insertChunks(transaction, claimed, chunks);
      await transaction.$executeRaw`
        UPDATE ingestions
        SET chunked_count = ${next}::int, term_count = term_count + ${terms}::bigint, attempts = 1,
          heartbeat_at = now(), due_at = now() + make_interval(secs => ${INGESTION_LEASE_SECONDS}::int)
        WHERE ${holds(claimed)}`;
      return true;
    }, STORE_TIMEOUT_MS);
  }

  /**
   * Ends the stage of chunking, after the last chunk.
   * @returns false if the claim is no longer valid
   */
  async endChunking(claimed: ClaimedIngestion): Promise<boolean> {
    const updated = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE ingestions
        SET chunk_count = chunked_count, heartbeat_at = now(),
          stage = CASE WHEN ${claimed.embeddingModel === null} THEN stage ELSE 'embedding' END
        WHERE ${holds(claimed)}`,
    );
    return updated === 1;
  }

  /**
   * Stores vectors together with the usage of their call. If the claim is no longer valid, or the vectors do not fit in
   * the index, only the usage is stored, because it was consumed anyway.
   */
  storeVectors(
    claimed: ClaimedIngestion,
    { first, vectors, usage, warnings }: NewVectors,
  ): Promise<'stored' | 'lost' | 'mismatch'> {
    const next = first + vectors.length;
    return this.prisma.transaction(async (transaction) => {
      const counts = await lockClaim(transaction, claimed);
      await commitUsage(transaction, this.usage, claimed, usage);
      if (counts === undefined) return 'lost';
      // The confirmation of an earlier commit was lost.
      if (counts.embeddedCount >= next) return 'stored';
      if (counts.embeddedCount !== first) throw new Error('Vectors of an ingestion are stored out of order.');
      if (!(await claimDimensions(transaction, claimed, vectors))) return 'mismatch';
      await this.chunks.insertEmbeddings(transaction, claimed, first, vectors);
      await transaction.$executeRaw`
        UPDATE ingestions
        SET embedded_count = ${next}::int, attempts = 1, heartbeat_at = now(),
          due_at = now() + make_interval(secs => ${INGESTION_LEASE_SECONDS}::int),
          warnings = warnings || ${serializeWarnings(warnings)}::jsonb
        WHERE ${holds(claimed)}`;
      return 'stored';
    }, STORE_TIMEOUT_MS);
  }

  /** Returns the number of chunks that an account has stored, in its active indexes or in those that are being built. */
  readStoredChunks(userId: string, status: IndexStatus): Promise<number> {
    return this.prisma.run((client) => selectStoredChunks(client, userId, status));
  }
}

/**
 * Returns the number of chunks that an account has stored, in its active indexes or in those that are being built, of
 * collections that are not being deleted. The bound holds for each alone: an index that is being built replaces another.
 */
export async function selectStoredChunks(
  client: Pick<Transaction, '$queryRaw'>,
  userId: string,
  status: IndexStatus,
): Promise<number> {
  const [row] = await client.$queryRaw<{ chunks: number }[]>`
    SELECT COALESCE(sum(chunked_count), 0)::int AS chunks
    FROM ingestions
    JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
    JOIN collections ON collections.id = collection_indexes.collection_id
    WHERE ingestions.user_id = ${userId}::uuid AND collections.deleted_at IS NULL
      AND collection_indexes.status = ${status}::collection_index_status`;
  return row?.chunks ?? 0;
}

/** Locks the row of a claim until the commit; undefined if the claim is no longer valid. */
async function lockClaim(
  transaction: Transaction,
  claimed: ClaimedIngestion,
): Promise<{ readonly chunkedCount: number; readonly embeddedCount: number } | undefined> {
  const [row] = await transaction.$queryRaw<{ chunkedCount: number; embeddedCount: number }[]>`
    SELECT chunked_count AS "chunkedCount", embedded_count AS "embeddedCount"
    FROM ingestions WHERE ${holds(claimed)} FOR NO KEY UPDATE`;
  return row;
}

/**
 * Gives the index the dimensions of its first vectors.
 * @returns false if it has others
 */
async function claimDimensions(
  transaction: Transaction,
  { indexId, userId, dimensions: known }: ClaimedIngestion,
  vectors: NewVectors['vectors'],
): Promise<boolean> {
  const dimensions = vectors[0]?.length ?? 0;
  if (dimensions === 0 || vectors.some(({ length }) => length !== dimensions)) return false;
  if (known !== null) return known === dimensions;
  // Compare and set: of two first batches with different dimensions one fails.
  const fits = await transaction.$executeRaw`
    UPDATE collection_indexes SET dimensions = ${dimensions}::int
    WHERE id = ${indexId}::uuid AND user_id = ${userId}::uuid
      AND (dimensions IS NULL OR dimensions = ${dimensions}::int)`;
  return fits === 1;
}
