import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../common/errors.js';

/** Waits between tries, in milliseconds; about a minute in all, which outlasts a restart of the database. */
const WAITS_MS = [100, 300, 1000, 2000, 4000, 8000, 15_000, 30_000] as const;

/**
 * Does what must not be lost, again and again while the database is away. Only for work that may be done twice.
 * @throws what the last try threw, or at once what has nothing to do with the database being away
 */
export async function persistently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const waitMs of WAITS_MS) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'service_unavailable') throw error;
      await delay(waitMs);
    }
  }
  return work();
}
