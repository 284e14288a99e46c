import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { testRedisUrl } from '../redis.js';
import type { ProcessOptions } from './process-group.js';

/** The result of a run. */
export interface Run {
  readonly figures: string;
  readonly violations: readonly string[];
}

/** Maximum duration of a run: the storm, a lease, a sweep, and starts on a slow machine. */
const RUN_MS = 300_000;

/** The first seed of the runs. */
export const FIRST_SEED = Number(process.env['AUDIT_SEED'] ?? randomInt(1_000_000_000));
const runs = process.env['AUDIT_RUNS'];
const seeds = Array.from({ length: Number(runs ?? 1) }, (_, index) => FIRST_SEED + index);

/**
 * Defines the tests of a randomized audit, which fail if a run has a violation. Two variables choose the runs:
 *
 * AUDIT_SEED  the first seed; random by default
 * AUDIT_RUNS  number of consecutive seeds: one in every test run, more in the commands of the audits. With Redis, the
 *             one seed is for the processes on Redis only.
 */
export function describeAudit(
  name: string,
  run: (seed: number, options: ProcessOptions) => Promise<Run>,
  severalProcesses = 'two processes',
): void {
  if (testRedisUrl === undefined)
    process.stderr.write(`SKIPPED: over several processes: ${name}: REDIS_URL is not set\n`);

  describe(name, () => {
    (testRedisUrl === undefined || runs !== undefined ? it : it.skip).each(seeds)(
      'with one process and without Redis, seed %i',
      async (seed) => {
        expectNothingWrong('one process', seed, await run(seed, { processes: 1 }));
      },
      RUN_MS,
    );

    (testRedisUrl === undefined ? it.skip : it).each(seeds)(
      `with ${severalProcesses} on Redis, seed %i`,
      async (seed) => {
        const options = { processes: 2, redisUrl: testRedisUrl };
        expectNothingWrong(severalProcesses, seed, await run(seed, options));
      },
      RUN_MS,
    );
  });
}

/** Prints the figures of a run, and fails with its violations. */
export function expectNothingWrong(processes: string, seed: number, { figures, violations }: Run): void {
  process.stderr.write(`AUDIT_SEED=${seed} ${processes}: ${figures}\n`);
  expect(violations.join('\n\n')).toBe('');
}
