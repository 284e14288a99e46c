import { setTimeout as delay } from 'node:timers/promises';
import { AppError, ServerBusyError } from './errors.js';

/**
 * Delays between attempts, in milliseconds; about a minute in total, which outlasts a restart of the database. The
 * last delays stay short: once the database is back, the process holding the text must write before another
 * process's recovery sweep marks the answer interrupted.
 */
const WAITS_MS: readonly number[] = [100, 300, 1000, ...Array.from({ length: 30 }, () => 2000)];

/**
 * Retries work that must not be lost while the database is unavailable. Only for idempotent work.
 * @throws the error of the last attempt, or immediately any error other than an unavailable database
 */
export async function retryWhileUnavailable<Result>(
  work: () => Promise<Result>,
  waitsMs: readonly number[] = WAITS_MS,
): Promise<Result> {
  for (const waitMs of waitsMs) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      await delay(waitMs);
    }
  }
  return work();
}

/** Returns true if work failed because the database is unavailable; it may have been done anyway. */
export function isUnavailable(error: unknown): boolean {
  return (
    error instanceof AppError && error.code === 'service_unavailable' && !(error instanceof ServerBusyError)
  );
}
