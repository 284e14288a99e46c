import { Injectable } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { PrismaService, type Transaction } from '../../../infra/database/index.js';
import { WebhookOutbox } from '../../webhooks/index.js';
import { type BatchEndStatus, type InputFault, isBatchEndpoint } from '../model/batch.js';
import {
  type ClaimedStage,
  type EndingStage,
  type ResultFiles,
  StageLostError,
} from '../model/batch-stage.js';
import { toOpenAiBatchId } from '../model/openai-batch-id.js';
import type { NewBatchItem } from '../model/batch-item.js';
import { insertPart } from './batch-item.repository.js';
import { assertRoom } from './batch.repository.js';
import { toBatchApi } from './batch-row.sql.js';

/** Duration of a lease of a batch that is being validated or ended, in seconds. Each write extends it. */
export const STAGE_LEASE_SECONDS = 60;

/**
 * A stage is overdue after this time, in seconds, and this many attempts that failed, or whose process died. What it
 * waits for must not keep a batch in it any longer.
 */
const PATIENCE = { seconds: 300, attempts: 5 } as const;

/** Maximum number of items that one statement deletes or ends. */
const ITEM_LIMIT = 2_000;

interface StageRow extends Omit<ClaimedStage, 'api' | 'endpoint' | 'endStatus' | 'leaseId'> {
  readonly api: string;
  readonly endpoint: string;
  readonly endStatus: BatchEndStatus | null;
}

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
          coalesce(finalizing_at, cancelling_at) AS "endingAt", attempts, ended_at IS NOT NULL AS "hasEnded",
          attempts > ${PATIENCE.attempts}::int AND coalesce(finalizing_at, cancelling_at, created_at)
            <= now() - make_interval(secs => ${PATIENCE.seconds}::int) AS "isOverdue"`,
    );
    if (row === undefined) return undefined;
    const { api, endpoint, endStatus } = row;
    if (!isBatchEndpoint(endpoint)) throw new Error(`A batch has the unknown endpoint '${endpoint}'.`);
    return { ...row, leaseId, api: toBatchApi(api), endpoint, endStatus: endStatus ?? undefined };
  }

  /** Gives a stage back after an attempt that failed, so that any process may claim it after `waitSeconds`. */
  async retryStage(stage: ClaimedStage, waitSeconds: number): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET lease_id = NULL,
          due_at = date_trunc('milliseconds', now()) + make_interval(secs => ${waitSeconds}::float8)
        WHERE ${holdsStage(stage)}`,
    );
  }

  /** Gives a stage back because the process stops: the attempt does not count, and any other may claim it at once. */
  async returnStage(stage: ClaimedStage): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET lease_id = NULL, due_at = date_trunc('milliseconds', now()), attempts = attempts - 1
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
        DELETE FROM batch_items WHERE batch_id = ${stage.id}::uuid AND line <= (${lastLineOf(Prisma.sql`
          SELECT line FROM batch_items WHERE batch_id = ${stage.id}::uuid ORDER BY line LIMIT ${ITEM_LIMIT}`)})`;
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
      Prisma.sql`status = 'failed', errors = ${JSON.stringify(faults)}::jsonb, ${DONE}`,
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
        WHERE batch_id = ${stage.id}::uuid AND status IN ('waiting', 'running') AND line <= (${lastLineOf(Prisma.sql`
          SELECT line FROM batch_items WHERE batch_id = ${stage.id}::uuid AND status IN ('waiting', 'running')
          ORDER BY line LIMIT ${ITEM_LIMIT} FOR UPDATE`)})`;
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
  async finishBatch(stage: EndingStage, { output, error, faults }: ResultFiles): Promise<void> {
    await this.endBatch(
      stage,
      Prisma.sql`status = ${stage.endStatus}::batch_status, output_file_id = ${output}::uuid,
        error_file_id = ${error}::uuid, errors = errors || ${JSON.stringify(faults)}::jsonb, ${DONE}`,
    );
  }

  /**
   * Gives a batch its last status without its result files. They remain to be written: the batch can be claimed again.
   * @param fault says so to its owner
   * @throws StageLostError
   */
  async finishWithoutFiles(stage: EndingStage, fault: InputFault): Promise<void> {
    await this.endBatch(
      stage,
      Prisma.sql`status = ${stage.endStatus}::batch_status, errors = errors || ${JSON.stringify([fault])}::jsonb,
        due_at = now(), lease_id = NULL, attempts = 0`,
    );
  }

  /**
   * Gives a batch that has ended without them its result files.
   * @param code code of the fault that said so
   * @throws StageLostError
   */
  async addFiles(
    stage: ClaimedStage,
    { output, error, faults }: ResultFiles,
    code: InputFault['code'],
  ): Promise<void> {
    const added = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET output_file_id = ${output}::uuid, error_file_id = ${error}::uuid, ${DONE},
          errors = coalesce((SELECT jsonb_agg(fault) FROM jsonb_array_elements(errors) AS fault
            WHERE fault->>'code' <> ${code}), '[]') || ${JSON.stringify(faults)}::jsonb
        WHERE ${holdsStage(stage)} AND ended_at IS NOT NULL`,
    );
    if (added !== 1) throw new StageLostError();
  }

  private async endBatch(stage: EndingStage, columns: Prisma.Sql): Promise<void> {
    await this.prisma.transaction(async (transaction) => {
      const ended = await transaction.$executeRaw`
        UPDATE batches SET ended_at = now(), ${columns} WHERE ${holdsStage(stage)}`;
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

/** Columns of a batch that has no stage any more. */
const DONE = Prisma.sql`due_at = NULL, lease_id = NULL`;

const EXTENDED = Prisma.sql`due_at = now() + make_interval(secs => ${STAGE_LEASE_SECONDS}::int)`;

/**
 * Selects the last of the first lines: one value, so that their rows are a range of the primary key. A set of lines would
 * be joined by a plan that depends on statistics: with those from before a batch was stored, by reading the set once for
 * each item, which took half a minute.
 */
function lastLineOf(lines: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`SELECT max(line) FROM (${lines}) AS first_lines`;
}

function holdsStage({ id, userId, leaseId }: ClaimedStage): Prisma.Sql {
  return Prisma.sql`id = ${id}::uuid AND user_id = ${userId}::uuid AND lease_id = ${leaseId}::uuid
    AND deleted_at IS NULL`;
}

async function renew(client: Pick<Transaction, '$executeRaw'>, stage: ClaimedStage): Promise<void> {
  const renewed = await client.$executeRaw`UPDATE batches SET ${EXTENDED} WHERE ${holdsStage(stage)}`;
  if (renewed !== 1) throw new StageLostError();
}
