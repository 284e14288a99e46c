import { toKnownCostUsd } from '../../../common/money.js';
import { type Batch, type BatchUsage, hasEnded } from '../model/batch.js';
import { toBatchTask } from '../model/batch-task.js';
import type { BatchBody, BatchCountsBody, BatchLinksBody, BatchUsageBody } from './batch.dto.js';

/**
 * Converts a batch to its API representation.
 * @param now time from which its end is estimated, in milliseconds since 1970
 */
export function toBatchBody(batch: Batch, now: number): BatchBody {
  const { pause } = batch;
  return {
    job_id: batch.id,
    task: toBatchTask(batch.endpoint),
    status: batch.status,
    total: batch.total,
    counts: toCounts(batch),
    usage: toBatchUsageBody(batch.usage),
    errors: batch.errors.map(({ code, message, param, line }) => ({ code, message, param, line })),
    pause: pause && { code: pause.code, message: pause.message, resume_at: toTime(pause.resumeAt) },
    input_file_id: batch.inputFileId,
    max_concurrency: batch.maxConcurrency,
    metadata: batch.metadata === null ? null : { ...batch.metadata },
    created_at: batch.createdAt.toISOString(),
    started_at: toTime(batch.startedAt),
    estimated_end_at: toTime(estimateEnd(batch, now)),
    ended_at: toTime(batch.endedAt),
    expires_at: batch.expiresAt.toISOString(),
    links: toLinks(batch.id),
  };
}

/** Converts the usage of a batch or of an item to its API representation. */
export function toBatchUsageBody(usage: BatchUsage): BatchUsageBody {
  const { inputTokens, outputTokens, cachedTokens, reasoningTokens, costMicroUsd, unpricedAttempts } = usage;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    cached_tokens: cachedTokens,
    reasoning_tokens: reasoningTokens,
    cost_estimate: toKnownCostUsd(costMicroUsd, unpricedAttempts),
    unpriced_attempts: unpricedAttempts,
  };
}

function toCounts(batch: Batch): BatchCountsBody {
  const { total, runningCount: running } = batch;
  const waiting = total === null ? 0 : total - countEnded(batch) - running;
  return {
    total,
    waiting: Math.max(0, waiting),
    running,
    completed: batch.completedCount,
    failed: batch.failedCount,
    skipped: batch.skippedCount,
  };
}

function countEnded({ completedCount, failedCount, skippedCount }: Batch): number {
  return completedCount + failedCount + skippedCount;
}

/** Estimates the end of a running batch from its average rate; null while there is none. */
function estimateEnd(batch: Batch, now: number): Date | null {
  const { status, total, startedAt, expiresAt } = batch;
  const ended = countEnded(batch);
  if (status !== 'running' || total === null || startedAt === null || ended === 0) return null;
  const elapsedMs = Math.max(0, now - startedAt.getTime());
  const end = now + (elapsedMs * (total - ended)) / ended;
  return new Date(Math.min(end, expiresAt.getTime()));
}

function toLinks(id: string): BatchLinksBody {
  const self = `/api/v1/batch/${id}`;
  return { self, results: `${self}/results`, events: `${self}/events`, cancel: `${self}/cancel` };
}

function toTime(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}

/** Returns what changes of a batch with its progress: all but the estimate, which changes with the time. */
export function toProgressKey(body: BatchBody): string {
  return JSON.stringify(body, (name, value: unknown) => (name === 'estimated_end_at' ? undefined : value));
}

/** Returns true if a batch changes no more, unless it is retried or deleted. */
export function isFinal({ status }: BatchBody): boolean {
  return hasEnded(status);
}
