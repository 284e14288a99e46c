import { Injectable } from '@nestjs/common';
import { PrismaService } from '../../../infra/database/index.js';
import { BATCH_RETENTION_DAYS } from '../model/batch.js';
import { CANCELLATION } from './batch.repository.js';

/** Maximum number of rows that one statement deletes. */
const DELETE_LIMIT = 2_000;

/** Changes of batches that nobody requests: they are due at a time. Each is one statement that may be repeated. */
@Injectable()
export class BatchSweepRepository {
  constructor(private readonly prisma: PrismaService) {}

  /** Ends the batches whose time has passed. What has a result keeps it. */
  async expireBatches(): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET status = 'finalizing', end_status = 'expired', finalizing_at = now(), due_at = now(),
          attempts = 0, lease_id = NULL, pause_code = NULL, pause_message = NULL, resume_at = NULL
        WHERE expires_at <= now() AND ended_at IS NULL AND status IN ('validating', 'queued', 'running', 'paused')`,
    );
  }

  /** Lets paused batches run again whose time has come. */
  async resumeBatches(): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET status = (CASE WHEN started_at IS NULL THEN 'queued' ELSE 'running' END)::batch_status,
          pause_code = NULL, pause_message = NULL, resume_at = NULL
        WHERE status = 'paused' AND ended_at IS NULL AND resume_at <= now()`,
    );
  }

  /**
   * Pauses a batch that cannot run for a reason of its account.
   * @param seconds time after which it is tried again
   */
  async pauseBatch(
    { batchId, userId }: { readonly batchId: string; readonly userId: string },
    { code, message, seconds }: { readonly code: string; readonly message: string; readonly seconds: number },
  ): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET status = 'paused', pause_code = ${code}, pause_message = ${message},
          resume_at = now() + make_interval(secs => ${seconds}::float8)
        WHERE id = ${batchId}::uuid AND user_id = ${userId}::uuid AND status IN ('queued', 'running')`,
    );
  }

  /** Cancels the batches whose API key was revoked or has expired. */
  async cancelKeylessBatches(): Promise<void> {
    const fault = JSON.stringify([
      {
        code: 'invalid_api_key',
        message: 'The API key that created the batch was revoked or has expired.',
        param: null,
        line: null,
      },
    ]);
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET ${CANCELLATION}, errors = ${fault}::jsonb
        FROM api_keys
        WHERE api_keys.id = batches.api_key_id AND batches.ended_at IS NULL
          AND batches.status IN ('validating', 'queued', 'running', 'paused')
          AND (api_keys.revoked_at IS NOT NULL OR api_keys.expires_at <= now())`,
    );
  }

  /** Marks batches whose retention has ended as deleted. */
  async retireBatches(): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE batches SET deleted_at = now()
        WHERE deleted_at IS NULL AND ended_at <= now() - make_interval(days => ${BATCH_RETENTION_DAYS}::int)`,
    );
  }

  /**
   * Deletes rows of deleted batches: items first, so that no statement deletes more than a few thousand rows.
   * @returns whether there may be more
   */
  async deleteRows(): Promise<boolean> {
    const deleted = await this.prisma.run(
      (client) => client.$executeRaw`
        DELETE FROM batch_items WHERE (batch_id, line) IN (
          SELECT item.batch_id, item.line
          FROM (SELECT id FROM batches WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 20) gone
          JOIN batch_items item ON item.batch_id = gone.id
          ORDER BY item.batch_id, item.line LIMIT ${DELETE_LIMIT})`,
    );
    if (deleted > 0) return deleted === DELETE_LIMIT;
    await this.prisma.run(
      (client) => client.$executeRaw`
        DELETE FROM batches WHERE id IN (
          SELECT id FROM batches WHERE deleted_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM batch_items WHERE batch_items.batch_id = batches.id)
          ORDER BY deleted_at LIMIT 20)`,
    );
    return false;
  }
}
