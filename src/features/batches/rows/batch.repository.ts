import { Injectable } from '@nestjs/common';
import { AppError, IdempotencyKeyReusedError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import {
  type Batch,
  BATCH_LIMITS,
  BATCH_WINDOW_HOURS,
  type BatchApi,
  type BatchEndpoint,
} from '../model/batch.js';
import { BatchLimitError } from '../model/batch.errors.js';
import type { NewBatchItem } from '../model/batch-item.js';
import { insertItems } from './batch-item.repository.js';
import { BATCH_COLUMNS, type BatchRow, toBatch } from './batch-row.sql.js';

/** Maximum duration of storing a batch with its items, in milliseconds. */
const INSERT_TIMEOUT_MS = 60_000;

/** Retention of the `Idempotency-Key` of a batch, in hours. */
const KEY_HOURS = 24;

/** A batch to be created. */
export interface NewBatch {
  readonly userId: string;
  readonly apiKeyId: string | null;
  readonly api: BatchApi;
  readonly endpoint: BatchEndpoint;
  /** Its requests, or the file that has them. */
  readonly input: { readonly items: readonly NewBatchItem[] } | { readonly fileId: string };
  /** Fields that the requests of the file have unless they set them. */
  readonly defaults?: Readonly<Record<string, unknown>> | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly maxConcurrency?: number | undefined;
  /** Lifetime of its result files in seconds; undefined if they do not expire. */
  readonly outputExpiresAfterS?: number | undefined;
  readonly idempotency?: BatchIdempotency | undefined;
}

/** `Idempotency-Key` of a request to create a batch, and the SHA-256 of what it asks for. */
export interface BatchIdempotency {
  readonly key: string;
  readonly fingerprint: Uint8Array<ArrayBuffer>;
}

/** A request that an earlier one may have made. */
export interface IdempotentRequest extends BatchIdempotency {
  readonly userId: string;
  readonly api: BatchApi;
}

/** A page of a list, newest first. */
export interface BatchSlice {
  readonly limit: number;
  /** Id of the batch after which the page begins. */
  readonly after: string | undefined;
}

/** Creates, reads and changes batches. Each query has the owner and the API. */
@Injectable()
export class BatchRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Stores a batch, and its items unless they are in a file, in one transaction.
   * @throws AppError `batch_limit_exceeded`, `unauthorized` if the account has been disabled in the meantime
   * @throws IdempotencyKeyReusedError
   */
  insertBatch(batch: NewBatch): Promise<{ readonly batch: Batch; readonly replayed: boolean }> {
    return this.prisma.transaction(async (transaction) => {
      const known = await lockAccount(transaction, batch);
      if (known !== undefined) return { batch: known, replayed: true };
      const items = 'items' in batch.input ? batch.input.items : [];
      await assertRoom(transaction, batch.userId, items.length);
      const id = await insertRow(transaction, batch);
      await insertItems(transaction, { id, userId: batch.userId }, items);
      const [row] = await selectBatches(transaction, Prisma.sql`batches.id = ${id}::uuid`);
      if (row === undefined) throw new Error('The row of a batch is missing in its own transaction.');
      return { batch: row, replayed: false };
    }, INSERT_TIMEOUT_MS);
  }

  /**
   * Returns the batch that an earlier request with the same key created.
   * @throws IdempotencyKeyReusedError
   */
  findReplay(request: IdempotentRequest): Promise<Batch | undefined> {
    return this.prisma.run((client) => selectReplay(client, request));
  }

  /** Returns a batch; undefined if the account has none with this id in this API. */
  async findBatch(userId: string, api: BatchApi, id: string): Promise<Batch | undefined> {
    const [batch] = await this.prisma.run((client) => selectBatches(client, isOwned(userId, api, id)));
    return batch;
  }

  /** Lists batches, newest first. */
  listBatches(userId: string, api: BatchApi, { limit, after }: BatchSlice): Promise<Batch[]> {
    return this.prisma.run((client) =>
      selectBatches(
        client,
        Prisma.sql`batches.user_id = ${userId}::uuid AND batches.api = ${api} AND batches.deleted_at IS NULL
          AND (${after ?? null}::uuid IS NULL OR batches.id < ${after ?? null}::uuid)
        ORDER BY batches.id DESC LIMIT ${limit}`,
      ),
    );
  }

  /**
   * Begins to cancel a batch. One that is ending or has ended stays unchanged.
   * @returns whether the batch exists, and whether it changed
   */
  async cancelBatch(
    userId: string,
    api: BatchApi,
    id: string,
  ): Promise<{ readonly exists: boolean; readonly changed: boolean }> {
    // One statement: of a cancellation and the end of the last item, the first one wins.
    const changed = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET ${CANCELLATION}
        WHERE ${isOwned(userId, api, id)} AND status IN ('validating', 'queued', 'running', 'paused')`,
    );
    if (changed === 1) return { exists: true, changed: true };
    return { exists: (await this.findBatch(userId, api, id)) !== undefined, changed: false };
  }

  /**
   * Deletes a batch for its owner: from now on it does not exist. The sweep deletes its rows.
   * @returns whether there was one
   */
  async deleteBatch(userId: string, api: BatchApi, id: string): Promise<boolean> {
    const deleted = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET deleted_at = now(), due_at = NULL, lease_id = NULL, ended_at = coalesce(ended_at, now()),
          idempotency_key = NULL
        WHERE ${isOwned(userId, api, id)}`,
    );
    return deleted === 1;
  }

  /**
   * Runs the failed items of an ended batch again, and those that were cancelled or expired.
   * @returns the number of items; undefined if there is no such batch, or it has not ended
   * @throws AppError `batch_limit_exceeded`
   */
  retryBatch(userId: string, api: BatchApi, id: string): Promise<number | undefined> {
    return this.prisma.transaction(async (transaction) => {
      // The same lock as for a new batch: the limits of the account stay exact.
      await lockUser(transaction, userId);
      const items = await transaction.$executeRaw`
        UPDATE batch_items SET status = 'waiting', attempts = 0, lost_leases = 0, response_status = NULL,
          request_id = NULL, response = NULL, error_code = NULL, error_message = NULL, ended_at = NULL
        FROM batches
        WHERE ${isOwned(userId, api, id)} AND batches.ended_at IS NOT NULL AND batches.total IS NOT NULL
          AND batch_items.batch_id = batches.id AND batch_items.status IN ('failed', 'cancelled', 'expired')`;
      await assertRoom(transaction, userId, items);
      const changed = await transaction.$executeRaw`
        UPDATE batches SET ${items === 0 ? Prisma.sql`lease_id = lease_id` : RESTART}
        WHERE ${isOwned(userId, api, id)} AND ended_at IS NOT NULL AND total IS NOT NULL`;
      return changed === 1 ? items : undefined;
    }, INSERT_TIMEOUT_MS);
  }
}

/** Columns of a batch that begins to be cancelled. */
export const CANCELLATION = Prisma.sql`status = 'cancelling', end_status = 'cancelled', cancelling_at = now(),
  due_at = now(), attempts = 0, lease_id = NULL, pause_code = NULL, pause_message = NULL, resume_at = NULL`;

/** Columns of a batch whose unfinished items run again. */
const RESTART = Prisma.sql`status = 'queued', end_status = NULL, failed_count = 0, skipped_count = 0,
  expires_at = now() + make_interval(hours => ${BATCH_WINDOW_HOURS}::int), finalizing_at = NULL, cancelling_at = NULL,
  ended_at = NULL, due_at = NULL, lease_id = NULL, output_file_id = NULL, error_file_id = NULL`;

function isOwned(userId: string, api: BatchApi, id: string): Prisma.Sql {
  return Prisma.sql`batches.id = ${id}::uuid AND batches.user_id = ${userId}::uuid AND batches.api = ${api}
    AND batches.deleted_at IS NULL`;
}

async function selectBatches(
  client: Pick<Transaction, '$queryRaw'>,
  condition: Prisma.Sql,
): Promise<Batch[]> {
  const rows = await client.$queryRaw<BatchRow[]>`SELECT ${BATCH_COLUMNS} FROM batches WHERE ${condition}`;
  return rows.map(toBatch);
}

/** @throws AppError if the account is disabled or deleted */
async function lockUser(transaction: Transaction, userId: string): Promise<void> {
  // Serializes the new batches of an account: its limits are exact, and of several requests with the same key one
  // creates the batch.
  const [account] = await transaction.$queryRaw<unknown[]>`
    SELECT 1 FROM users WHERE id = ${userId}::uuid AND disabled_at IS NULL FOR NO KEY UPDATE`;
  if (account === undefined) throw new AppError('unauthorized', 'The account was disabled.');
}

/** Locks the account, and returns the batch that an earlier request with the same key created. */
async function lockAccount(
  transaction: Transaction,
  { userId, api, idempotency }: NewBatch,
): Promise<Batch | undefined> {
  await lockUser(transaction, userId);
  if (idempotency === undefined) return undefined;
  await transaction.$executeRaw`
    UPDATE batches SET idempotency_key = NULL
    WHERE user_id = ${userId}::uuid AND api = ${api} AND idempotency_key = ${idempotency.key}
      AND created_at <= now() - make_interval(hours => ${KEY_HOURS}::int)`;
  return selectReplay(transaction, { userId, api, ...idempotency });
}

/** @throws IdempotencyKeyReusedError */
async function selectReplay(
  client: Pick<Transaction, '$queryRaw'>,
  { userId, api, key, fingerprint }: IdempotentRequest,
): Promise<Batch | undefined> {
  const [known] = await client.$queryRaw<{ id: string; fingerprint: Uint8Array | null }[]>`
    SELECT id, fingerprint FROM batches
    WHERE user_id = ${userId}::uuid AND api = ${api} AND idempotency_key = ${key} AND deleted_at IS NULL
      AND created_at > now() - make_interval(hours => ${KEY_HOURS}::int)`;
  if (known === undefined) return undefined;
  if (!Buffer.from(known.fingerprint ?? []).equals(fingerprint)) throw new IdempotencyKeyReusedError();
  const [batch] = await selectBatches(client, isOwned(userId, api, known.id));
  return batch;
}

/**
 * Checks the limits of an account, whose row is locked.
 * @param batchId a batch that counts already and is left out
 * @throws AppError `batch_limit_exceeded`
 */
export async function assertRoom(
  transaction: Transaction,
  userId: string,
  items: number,
  batchId: string | null = null,
): Promise<void> {
  const [active] = await transaction.$queryRaw<{ batches: number; items: number }[]>`
    SELECT count(*)::int AS batches,
      coalesce(sum(total - completed_count - failed_count - skipped_count), 0)::int AS items
    FROM batches WHERE user_id = ${userId}::uuid AND ended_at IS NULL AND id IS DISTINCT FROM ${batchId}::uuid`;
  if ((active?.batches ?? 0) >= BATCH_LIMITS.activeBatches) throw new BatchLimitError('activeBatches');
  if ((active?.items ?? 0) + items > BATCH_LIMITS.waitingItems) throw new BatchLimitError('waitingItems');
}

async function insertRow(transaction: Transaction, batch: NewBatch): Promise<string> {
  const id = newId();
  const items = 'items' in batch.input ? batch.input.items : undefined;
  const fileId = 'fileId' in batch.input ? batch.input.fileId : null;
  const lanes = [...new Set(items?.map(({ lane }) => lane))];
  await transaction.$executeRaw`
    INSERT INTO batches (id, user_id, api_key_id, api, endpoint, status, input_file_id, output_expires_after_s, defaults,
      metadata, max_concurrency, lanes, total, due_at, idempotency_key, fingerprint, expires_at)
    VALUES (${id}::uuid, ${batch.userId}::uuid, ${batch.apiKeyId}::uuid, ${batch.api}, ${batch.endpoint},
      ${items === undefined ? 'validating' : 'queued'}::batch_status, ${fileId}::uuid,
      ${batch.outputExpiresAfterS ?? null}::int, ${jsonOrNull(batch.defaults)}::jsonb,
      ${jsonOrNull(batch.metadata)}::jsonb, ${batch.maxConcurrency ?? null}::int, ${lanes}::text[],
      ${items?.length ?? null}::int, ${items === undefined ? Prisma.sql`now()` : Prisma.sql`NULL`},
      ${batch.idempotency?.key ?? null}, ${batch.idempotency?.fingerprint ?? null},
      now() + make_interval(hours => ${BATCH_WINDOW_HOURS}::int))`;
  return id;
}

function jsonOrNull(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
