import { setTimeout as delay } from 'node:timers/promises';
import { AppError, ServerBusyError } from './errors.js';

/**
 * Waits between tries, in milliseconds; about a minute in all, which outlasts a restart of the database. Short to the
 * end: when the database is back, who has the text must be there before a sweep that has not.
 */
const WAITS_MS: readonly number[] = [100, 300, 1000, ...Array.from({ length: 30 }, () => 2000)];

/**
 * Does what must not be lost, again and again while the database is away. Only for work that may be done twice.
 * @throws what the last try threw, or at once what has nothing to do with the database being away
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

/** Whether work failed because the database is away: it may have been done all the same. */
export function isUnavailable(error: unknown): boolean {
  return (
    error instanceof AppError && error.code === 'service_unavailable' && !(error instanceof ServerBusyError)
  );
}
