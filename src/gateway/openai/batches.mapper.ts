import { type Batch, type BatchStatus, hasEnded, toOpenAiBatchId } from '../../features/batches/index.js';
import { toPage } from '../../http/index.js';
import { COMPLETION_WINDOW } from './batches-body.js';
import type { OpenAiBatchBody, OpenAiBatchListBody, OpenAiBatchStatus } from './batches.dto.js';
import { toOpenAiFileId } from './file-id.js';

/** Name of the header with the interval after which the official clients ask again, in milliseconds. */
export const POLL_HEADER = 'openai-poll-after-ms';

/** Interval between two requests for a batch, in milliseconds: short for a young batch. */
const POLL_MS = { young: 1_000, old: 5_000 } as const;

/** Age up to which a batch is young, in milliseconds. */
const YOUNG_MS = 60_000;

/** OpenAI's names of our statuses. Its batches neither wait nor pause. */
const STATUSES = {
  validating: 'validating',
  queued: 'in_progress',
  running: 'in_progress',
  paused: 'in_progress',
  finalizing: 'finalizing',
  cancelling: 'cancelling',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  expired: 'expired',
} as const satisfies Record<BatchStatus, OpenAiBatchStatus>;

/** Converts a batch to OpenAI's format. */
export function toOpenAiBatch(batch: Batch): OpenAiBatchBody {
  const { id, status, errors, endedAt, usage } = batch;
  const endedWith = (end: BatchStatus): number | null => (status === end ? toSeconds(endedAt) : null);
  return {
    id: toOpenAiBatchId(id),
    object: 'batch',
    endpoint: batch.endpoint,
    model: batch.model,
    errors: errors.length === 0 ? null : { object: 'list', data: errors.map((error) => ({ ...error })) },
    input_file_id: toOpenAiFileId(batch.inputFileId ?? ''),
    completion_window: COMPLETION_WINDOW,
    status: STATUSES[status],
    output_file_id: toFileId(batch.outputFileId),
    error_file_id: toFileId(batch.errorFileId),
    created_at: Math.floor(batch.createdAt.getTime() / 1000),
    in_progress_at: toSeconds(batch.startedAt),
    expires_at: toSeconds(batch.expiresAt),
    finalizing_at: toSeconds(batch.finalizingAt),
    completed_at: endedWith('completed'),
    failed_at: endedWith('failed'),
    expired_at: endedWith('expired'),
    cancelling_at: toSeconds(batch.cancellingAt),
    cancelled_at: endedWith('cancelled'),
    request_counts: {
      total: batch.total ?? 0,
      completed: batch.completedCount,
      failed: batch.failedCount,
    },
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
    metadata: batch.metadata,
  };
}

/** Converts a list of batches to OpenAI's format. It has one batch more than requested if there is another page. */
export function toOpenAiBatchList(batches: readonly Batch[], limit: number): OpenAiBatchListBody {
  return toPage(batches.map(toOpenAiBatch), limit, (batch) => batch);
}

/** Returns the headers of the response with a batch: none once it has ended. */
export function toPollHeaders({ status, createdAt }: Batch): Readonly<Record<string, string>> {
  if (hasEnded(status)) return {};
  const isYoung = Date.now() - createdAt.getTime() < YOUNG_MS;
  return { [POLL_HEADER]: String(isYoung ? POLL_MS.young : POLL_MS.old) };
}

function toFileId(id: string | null): string | null {
  return id === null ? null : toOpenAiFileId(id);
}

function toSeconds(time: Date | null): number | null {
  return time === null ? null : Math.floor(time.getTime() / 1000);
}
