import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import type { AttemptRecord } from '../../../llm/index.js';
import { UsageRepository } from '../../usage/index.js';
import type { ClaimedIngestion, IngestionFault, IngestionRef, IngestionWarning } from './ingestion.js';

/** Duration of a claim on an ingestion, in seconds; a process that works on it renews it. */
export const INGESTION_LEASE_SECONDS = 30;

/** A call of the embedding model, and its attempts for the ledger. */
export interface EmbeddingUsage {
  readonly callId: string;
  readonly attempts: readonly AttemptRecord[];
}

/** Claims ingestions, and ends the claims. Every write but the claim is fenced by its lease. */
@Injectable()
export class IngestionRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly usage: UsageRepository,
  ) {}

  /**
   * Claims an ingestion that is due; undefined if it is not. Of several concurrent callers one gets it: the others wait
   * for its update and then see `due_at` in the future. Those of a disabled account wait, and those of a deleted
   * collection are never claimed.
   */
  async claimIngestion({ id, userId }: IngestionRef): Promise<ClaimedIngestion | undefined> {
    const leaseId = newId();
    const [claimed] = await this.prisma.run(
      (client) => client.$queryRaw<Omit<ClaimedIngestion, 'id' | 'userId' | 'leaseId'>[]>`
        UPDATE ingestions
        SET status = 'processing', due_at = now() + make_interval(secs => ${INGESTION_LEASE_SECONDS}::int),
          lease_id = ${leaseId}::uuid, heartbeat_at = now(), attempts = attempts + 1
        FROM collection_indexes, collections, users
        WHERE ingestions.id = ${id}::uuid AND ingestions.user_id = ${userId}::uuid AND due_at <= now()
          AND collection_indexes.id = ingestions.index_id AND collections.id = collection_indexes.collection_id
          AND collections.deleted_at IS NULL AND users.id = ingestions.user_id AND users.disabled_at IS NULL
        RETURNING ingestions.document_id AS "documentId", ingestions.index_id AS "indexId",
          collections.id AS "collectionId", collection_indexes.status = 'building' AS "isBuilding",
          ingestions.file_id AS "fileId", ingestions.stage::text, ingestions.attempts,
          extract(epoch FROM now() - ingestions.created_at)::float8 AS "ageSeconds",
          ingestions.chunk_count AS "chunkCount", ingestions.chunked_count AS "chunkedCount",
          ingestions.embedded_count AS "embeddedCount", collection_indexes.embedding_model AS "embeddingModel",
          collection_indexes.dimensions, collection_indexes.chunk_tokens AS "chunkTokens",
          collection_indexes.chunk_overlap AS "chunkOverlap"`,
    );
    return claimed && { id, userId, leaseId, ...claimed };
  }

  /**
   * Extends a claim. This is also the heartbeat that clients see.
   * @returns false if it is no longer valid: another process has the ingestion, or it was cancelled or deleted
   */
  async renewClaim(claimed: ClaimedIngestion): Promise<boolean> {
    const renewed = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE ingestions
        SET due_at = now() + make_interval(secs => ${INGESTION_LEASE_SECONDS}::int), heartbeat_at = now()
        WHERE ${holds(claimed)}`,
    );
    return renewed === 1;
  }

  /**
   * Releases a claim, so that any process may claim the ingestion after `waitSeconds`.
   * @param end `counted` is false if the attempt ended for a reason that is not the document's
   * @returns false if the claim was no longer valid; the usage is stored nevertheless
   */
  releaseClaim(
    claimed: ClaimedIngestion,
    end: {
      readonly waitSeconds: number;
      readonly counted: boolean;
      readonly usage?: EmbeddingUsage | undefined;
    },
  ): Promise<boolean> {
    return this.endClaim(
      claimed,
      end.usage,
      // Truncated, because the column rounds to milliseconds: rounded up, it would not be due for the next claim.
      Prisma.sql`
        due_at = date_trunc('milliseconds', now()) + make_interval(secs => ${end.waitSeconds}::float8),
        heartbeat_at = now(), attempts = attempts - CASE WHEN ${end.counted} THEN 0 ELSE 1 END`,
    );
  }

  /**
   * Ends an ingestion that cannot be finished.
   * @returns false if the claim was no longer valid; the usage is stored nevertheless
   */
  failIngestion(
    claimed: ClaimedIngestion,
    { code, message }: IngestionFault,
    usage?: EmbeddingUsage,
  ): Promise<boolean> {
    return this.endClaim(
      claimed,
      usage,
      Prisma.sql`status = 'failed', due_at = NULL, error_code = ${code}, error_message = ${message}`,
    );
  }

  /** Stores the usage of an attempt that has no result of its own. */
  async recordUsage(claimed: ClaimedIngestion, usage: EmbeddingUsage): Promise<void> {
    await this.prisma.transaction((transaction) => commitUsage(transaction, this.usage, claimed, usage));
  }

  /** Returns ingestions that are due, the most overdue first. */
  listDueIngestions(limit: number): Promise<IngestionRef[]> {
    return this.prisma.run(
      (client) => client.$queryRaw<IngestionRef[]>`
        SELECT ingestions.id, ingestions.user_id AS "userId"
        FROM ingestions
        JOIN users ON users.id = ingestions.user_id
        JOIN collection_indexes ON collection_indexes.id = ingestions.index_id
        JOIN collections ON collections.id = collection_indexes.collection_id
        WHERE due_at <= now() AND users.disabled_at IS NULL AND collections.deleted_at IS NULL
        ORDER BY due_at LIMIT ${limit}`,
    );
  }

  private endClaim(
    claimed: ClaimedIngestion,
    usage: EmbeddingUsage | undefined,
    columns: Prisma.Sql,
  ): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      const ended = await transaction.$executeRaw`
        UPDATE ingestions SET lease_id = NULL, ${columns} WHERE ${holds(claimed)}`;
      if (usage !== undefined) await commitUsage(transaction, this.usage, claimed, usage);
      return ended === 1;
    });
  }
}

/** Condition of the row of a claim that is still valid. */
export function holds({ id, userId, leaseId }: ClaimedIngestion): Prisma.Sql {
  return Prisma.sql`ingestions.id = ${id}::uuid AND ingestions.user_id = ${userId}::uuid
    AND ingestions.lease_id = ${leaseId}::uuid`;
}

/** Commits the usage of a call, unless the account has been deleted. Committing twice bills once. */
export async function commitUsage(
  transaction: Transaction,
  ledger: UsageRepository,
  { userId }: ClaimedIngestion,
  { callId, attempts }: EmbeddingUsage,
): Promise<void> {
  if (attempts.length === 0) return;
  const [account] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM users WHERE id = ${userId}::uuid FOR KEY SHARE`;
  if (account === undefined) return;
  await ledger.commit(transaction, { callId, userId, apiKeyId: null, conversationId: null }, attempts);
}

/** Serializes warnings for their column. */
export function serializeWarnings(warnings: readonly IngestionWarning[]): string {
  return JSON.stringify(warnings);
}
