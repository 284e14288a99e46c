import { Prisma } from '../../../generated/prisma/client.js';
import {
  type Batch,
  type BatchApi,
  type BatchStatus,
  type InputFault,
  isBatchEndpoint,
} from '../model/batch.js';

/** Columns of a batch, for reading. */
export const BATCH_COLUMNS = Prisma.sql`batches.id, batches.user_id AS "userId", batches.api,
  batches.endpoint, batches.status::text, batches.input_file_id AS "inputFileId",
  batches.output_file_id AS "outputFileId", batches.error_file_id AS "errorFileId", batches.metadata,
  batches.max_concurrency AS "maxConcurrency", batches.model, batches.total, batches.completed_count AS "completedCount",
  batches.failed_count AS "failedCount", batches.skipped_count AS "skippedCount",
  (SELECT count(*) FROM batch_items WHERE batch_items.user_id = batches.user_id
    AND batch_items.lease_until IS NOT NULL AND batch_items.batch_id = batches.id)::int AS "runningCount",
  batches.input_tokens AS "inputTokens", batches.output_tokens AS "outputTokens",
  batches.cached_tokens AS "cachedTokens", batches.reasoning_tokens AS "reasoningTokens",
  batches.cost_micro_usd AS "costMicroUsd", batches.unpriced_attempts AS "unpricedAttempts", batches.errors,
  batches.pause_code AS "pauseCode", batches.pause_message AS "pauseMessage", batches.resume_at AS "resumeAt",
  batches.created_at AS "createdAt", batches.expires_at AS "expiresAt", batches.started_at AS "startedAt",
  batches.finalizing_at AS "finalizingAt", batches.cancelling_at AS "cancellingAt", batches.ended_at AS "endedAt"`;

/** A row of {@link BATCH_COLUMNS}. */
export interface BatchRow {
  readonly id: string;
  readonly userId: string;
  readonly api: string;
  readonly endpoint: string;
  readonly status: BatchStatus;
  readonly inputFileId: string | null;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  readonly metadata: unknown;
  readonly maxConcurrency: number | null;
  readonly model: string | null;
  readonly total: number | null;
  readonly completedCount: number;
  readonly failedCount: number;
  readonly skippedCount: number;
  readonly runningCount: number;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cachedTokens: bigint;
  readonly reasoningTokens: bigint;
  readonly costMicroUsd: bigint;
  readonly unpricedAttempts: number;
  readonly errors: unknown;
  readonly pauseCode: string | null;
  readonly pauseMessage: string | null;
  readonly resumeAt: Date | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly startedAt: Date | null;
  readonly finalizingAt: Date | null;
  readonly cancellingAt: Date | null;
  readonly endedAt: Date | null;
}

/** Converts a row to a batch. */
export function toBatch(row: BatchRow): Batch {
  const { inputTokens, outputTokens, cachedTokens, reasoningTokens, costMicroUsd, unpricedAttempts } = row;
  const { api, endpoint, metadata, errors, pauseCode, pauseMessage, resumeAt, ...columns } = row;
  if (!isBatchEndpoint(endpoint)) throw new Error(`Batch ${row.id} has the unknown endpoint '${endpoint}'.`);
  return {
    ...columns,
    api: toBatchApi(api),
    endpoint,
    metadata: isTextRecord(metadata) ? metadata : null,
    errors: Array.isArray(errors) ? errors.filter(isInputFault) : [],
    pause: pauseCode === null ? null : { code: pauseCode, message: pauseMessage ?? '', resumeAt },
    usage: {
      inputTokens: Number(inputTokens),
      outputTokens: Number(outputTokens),
      cachedTokens: Number(cachedTokens),
      reasoningTokens: Number(reasoningTokens),
      costMicroUsd,
      unpricedAttempts,
    },
  };
}

/** Returns the API of a row. */
export function toBatchApi(api: string): BatchApi {
  return api === 'openai' ? 'openai' : 'parley';
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((field) => typeof field === 'string')
  );
}

function isInputFault(value: unknown): value is InputFault {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'message' in value &&
    typeof value.message === 'string' &&
    'param' in value &&
    (value.param === null || typeof value.param === 'string') &&
    'line' in value &&
    (value.line === null || typeof value.line === 'number')
  );
}
