// Real here: the built server as processes that are killed with -9, and PostgreSQL and, where there is one, Redis, behind
// wires that are cut.
import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type Run, runStorm } from '../support/audit/storm.js';
import { testRedisUrl } from '../support/redis.js';

/*
 * Many clients ask, ask again and in other words, go from branch to branch, lose their connections, come back, stop,
 * send twice and lose the server, at random, while processes lose sight of their database and their Redis, which break
 * off or swallow everything; then what clients saw is compared with what is stored. A seed repeats every decision, though
 * not the timing of machines.
 *
 * AUDIT_SEED  the first seed; a random one without it
 * AUDIT_RUNS  how many seeds, one after the other; `npm run audit:random` takes more than the one of every test run,
 *             which where there is Redis is for the processes on it alone
 */

const first = Number(process.env['AUDIT_SEED'] ?? randomInt(1_000_000_000));
const runs = process.env['AUDIT_RUNS'];
const seeds = Array.from({ length: Number(runs ?? 1) }, (_, index) => first + index);

if (testRedisUrl === undefined) {
  process.stderr.write('SKIPPED: the audit over two processes: REDIS_URL is not set\n');
}

/** Longest run: the storm, a lease, a sweep, and starts on a slow machine. */
const RUN_MS = 150_000;

function expectNothingWrong(name: string, seed: number, { figures, violations }: Run): void {
  process.stderr.write(`AUDIT_SEED=${seed} ${name}: ${figures}\n`);
  expect(violations.join('\n\n')).toBe('');
}

describe('what is stored after a storm is what clients were shown', () => {
  (testRedisUrl === undefined || runs !== undefined ? it : it.skip).each(seeds)(
    'with one process and without Redis, seed %i',
    async (seed) => {
      expectNothingWrong('one process', seed, await runStorm(seed, { processes: 1 }));
    },
    RUN_MS,
  );

  (testRedisUrl === undefined ? it.skip : it).each(seeds)(
    'with two processes on Redis, seed %i',
    async (seed) => {
      expectNothingWrong(
        'two processes',
        seed,
        await runStorm(seed, { processes: 2, redisUrl: testRedisUrl }),
      );
    },
    RUN_MS,
  );
});
