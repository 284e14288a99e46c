import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import { WebhookOutbox } from '../../webhooks/index.js';
import {
  type BatchApi,
  type BatchEndpoint,
  type BatchEndStatus,
  type BatchRef,
  type InputFault,
  isBatchEndpoint,
} from '../model/batch.js';
import { toOpenAiBatchId } from '../model/openai-batch-id.js';
import type { NewBatchItem } from '../model/batch-item.js';
import { insertPart } from './batch-item.repository.js';
import { assertRoom } from './batch.repository.js';
import { toBatchApi } from './batch-row.sql.js';

/** Duration of a lease of a batch that is being validated or ended, in seconds. Each write extends it. */
const STAGE_LEASE_SECONDS = 60;

/** Maximum number of items that one statement deletes or ends. */
const ITEM_LIMIT = 2_000;

/** A batch that this process validates or ends. */
export interface ClaimedStage extends BatchRef {
  readonly leaseId: string;
  readonly api: BatchApi;
  readonly endpoint: BatchEndpoint;
  /** Undefined while it is to be validated. */
  readonly endStatus: BatchEndStatus | undefined;
  readonly inputFileId: string | null;
  readonly outputExpiresAfterS: number | null;
  /** Fields of every request of its file. */
  readonly defaults: unknown;
  readonly total: number | null;
  /** Time at which it began to end, part of the keys of its result files. */
  readonly endingAt: Date | null;
  /** Number of attempts, this one included. */
  readonly attempts: number;
}

/** A batch that is to be ended. */
export interface EndingStage extends ClaimedStage {
  readonly endStatus: BatchEndStatus;
}

interface StageRow extends Omit<ClaimedStage, 'api' | 'endpoint' | 'endStatus' | 'leaseId'> {
  readonly api: string;
  readonly endpoint: string;
  readonly endStatus: BatchEndStatus | null;
}

/** Reports that a batch is no longer held: it was cancelled or deleted, or another process has it. */
export class StageLostError extends Error {}

/** The stages of a batch before and after its items run. Every write but the claim is fenced by its lease. */
@Injectable()
export class StageRepository {
  constructor(
    private readonly prisma: PrismaService,
    private readonly webhooks: WebhookOutbox,
  ) {}

  /** Claims the batch that has waited longest for being validated or ended. */
  async claimStage(): Promise<ClaimedStage | undefined> {
    const leaseId = newId();
    // SKIP LOCKED: of several processes each gets another batch.
    const [row] = await this.prisma.run(
      (client) => client.$queryRaw<StageRow[]>`
        UPDATE batches
        SET due_at = now() + make_interval(secs => ${STAGE_LEASE_SECONDS}::int), lease_id = ${leaseId}::uuid,
          attempts = attempts + 1
        WHERE id = (
          SELECT id FROM batches WHERE due_at <= now() AND deleted_at IS NULL
          ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING id, user_id AS "userId", api, endpoint, end_status::text AS "endStatus",
          input_file_id AS "inputFileId", output_expires_after_s AS "outputExpiresAfterS", defaults, total,
          coalesce(finalizing_at, cancelling_at) AS "endingAt", attempts`,
    );
    if (row === undefined) return undefined;
    const { api, endpoint, endStatus } = row;
    if (!isBatchEndpoint(endpoint)) throw new Error(`A batch has the unknown endpoint '${endpoint}'.`);
    return { ...row, leaseId, api: toBatchApi(api), endpoint, endStatus: endStatus ?? undefined };
  }

  /** Gives a stage back, so that any process may claim it after `waitSeconds`. */
  async releaseStage(stage: ClaimedStage, waitSeconds: number): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET lease_id = NULL,
          due_at = date_trunc('milliseconds', now()) + make_interval(secs => ${waitSeconds}::float8)
        WHERE ${holdsStage(stage)}`,
    );
  }

  /**
   * Extends the lease of a stage.
   * @throws StageLostError
   */
  async renewStage(stage: ClaimedStage): Promise<void> {
    await this.prisma.run((client) => renew(client, stage));
  }

  /**
   * Inserts items of a file. Of several with the same `custom_id` the first is inserted.
   * @returns the lines of the inserted items
   * @throws StageLostError
   */
  insertItems(stage: ClaimedStage, items: readonly NewBatchItem[]): Promise<number[]> {
    return this.prisma.transaction(async (transaction) => {
      const lines = await insertPart(transaction, stage, items);
      await renew(transaction, stage);
      return lines;
    });
  }

  /**
   * Deletes items, for a validation that begins anew or failed.
   * @returns whether there may be more
   * @throws StageLostError
   */
  deleteItems(stage: ClaimedStage): Promise<boolean> {
    return this.prisma.transaction(async (transaction) => {
      const deleted = await transaction.$executeRaw`
        DELETE FROM batch_items WHERE batch_id = ${stage.id}::uuid AND line IN (
          SELECT line FROM batch_items WHERE batch_id = ${stage.id}::uuid ORDER BY line LIMIT ${ITEM_LIMIT})`;
      await renew(transaction, stage);
      return deleted === ITEM_LIMIT;
    });
  }

  /**
   * Ends the validation: the items may run.
   * @throws StageLostError
   * @throws AppError `batch_limit_exceeded`
   */
  async startBatch(
    stage: ClaimedStage,
    {
      total,
      lanes,
      model,
    }: {
      readonly total: number;
      readonly lanes: readonly string[];
      readonly model: string | undefined;
    },
  ): Promise<void> {
    await this.prisma.transaction(async (transaction) => {
      // As for a new batch: the limit of waiting items stays exact.
      await transaction.$queryRaw`SELECT 1 FROM users WHERE id = ${stage.userId}::uuid FOR NO KEY UPDATE`;
      await assertRoom(transaction, stage.userId, total, stage.id);
      const started = await transaction.$executeRaw`
        UPDATE batches SET status = 'queued', total = ${total}::int, lanes = ${[...lanes]}::text[],
          model = ${model ?? null}, due_at = NULL,
          lease_id = NULL, attempts = 0
        WHERE ${holdsStage(stage)}`;
      if (started !== 1) throw new StageLostError();
    });
  }

  /**
   * Ends a batch whose input has faults.
   * @throws StageLostError
   */
  async failBatch(stage: ClaimedStage, faults: readonly InputFault[]): Promise<void> {
    await this.endBatch(
      { ...stage, endStatus: 'failed' },
      Prisma.sql`status = 'failed', errors = ${JSON.stringify(faults)}::jsonb`,
    );
  }

  /**
   * Ends items that have no result, of a batch that was cancelled or has expired.
   * @returns whether there may be more
   * @throws StageLostError
   */
  skipItems(stage: ClaimedStage, end: 'cancelled' | 'expired'): Promise<boolean> {
    const { code, message } = SKIPPED[end];
    return this.prisma.transaction(async (transaction) => {
      // Those that run now lose their lease: a late result is refused, and its usage is stored nevertheless.
      const skipped = await transaction.$executeRaw`
        UPDATE batch_items
        SET status = ${end}::batch_item_status, lease_id = NULL, lease_until = NULL, ended_at = now(),
          error_code = ${code}, error_message = ${message}
        WHERE batch_id = ${stage.id}::uuid AND status IN ('waiting', 'running') AND line IN (
          SELECT line FROM batch_items WHERE batch_id = ${stage.id}::uuid AND status IN ('waiting', 'running')
          ORDER BY line LIMIT ${ITEM_LIMIT} FOR UPDATE)`;
      const counted = await transaction.$executeRaw`
        UPDATE batches SET skipped_count = skipped_count + ${skipped}::int, ${EXTENDED}
        WHERE ${holdsStage(stage)}`;
      if (counted !== 1) throw new StageLostError();
      return skipped === ITEM_LIMIT;
    });
  }

  /**
   * Gives a batch its last status, and its result files.
   * @throws StageLostError
   */
  async finishBatch(
    stage: EndingStage,
    {
      output,
      error,
      faults,
    }: {
      readonly output: string | null;
      readonly error: string | null;
      readonly faults: readonly InputFault[];
    },
  ): Promise<void> {
    await this.endBatch(
      stage,
      Prisma.sql`status = ${stage.endStatus}::batch_status, output_file_id = ${output}::uuid,
        error_file_id = ${error}::uuid, errors = errors || ${JSON.stringify(faults)}::jsonb`,
    );
  }

  private async endBatch(stage: EndingStage, columns: Prisma.Sql): Promise<void> {
    await this.prisma.transaction(async (transaction) => {
      const ended = await transaction.$executeRaw`
        UPDATE batches SET ended_at = now(), due_at = NULL, lease_id = NULL, ${columns} WHERE ${holdsStage(stage)}`;
      if (ended !== 1) throw new StageLostError();
      await this.webhooks.enqueueEvent(transaction, {
        userId: stage.userId,
        type: `batch.${stage.endStatus}`,
        objectId: stage.api === 'openai' ? toOpenAiBatchId(stage.id) : stage.id,
        // A batch that is retried ends again.
        occurrence: stage.endingAt?.getTime(),
      });
    });
    this.webhooks.announce();
  }
}

/** Code and message of items that did not run. */
const SKIPPED = {
  cancelled: {
    code: 'batch_cancelled',
    message: 'The batch was cancelled before this request was answered.',
  },
  expired: { code: 'batch_expired', message: 'The batch expired before this request was answered.' },
} as const;

const EXTENDED = Prisma.sql`due_at = now() + make_interval(secs => ${STAGE_LEASE_SECONDS}::int)`;

function holdsStage({ id, userId, leaseId }: ClaimedStage): Prisma.Sql {
  return Prisma.sql`id = ${id}::uuid AND user_id = ${userId}::uuid AND lease_id = ${leaseId}::uuid
    AND deleted_at IS NULL`;
}

async function renew(client: Pick<Transaction, '$executeRaw'>, stage: ClaimedStage): Promise<void> {
  const renewed = await client.$executeRaw`UPDATE batches SET ${EXTENDED} WHERE ${holdsStage(stage)}`;
  if (renewed !== 1) throw new StageLostError();
}
