// Real components: the built server as processes killed with SIGKILL, and PostgreSQL and, if available, Redis
// behind proxies that cut connections.
import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type Run, runStorm } from '../support/audit/storm.js';
import { testRedisUrl } from '../support/redis.js';

/*
 * Many clients randomly send turns, regenerate and edit them, switch branches, lose and resume their streams,
 * stop answers, send requests twice and lose the server, while processes lose their PostgreSQL and Redis
 * connections, which break or fall silent. Then the responses that clients saw are compared with the stored
 * data. A seed reproduces every decision, but not the timing of the machine.
 *
 * AUDIT_SEED  the first seed; random by default
 * AUDIT_RUNS  number of consecutive seeds: one in every test run, more in `npm run audit:random`. With Redis, the one
 *             seed is for the processes on Redis only.
 */

const first = Number(process.env['AUDIT_SEED'] ?? randomInt(1_000_000_000));
const runs = process.env['AUDIT_RUNS'];
const seeds = Array.from({ length: Number(runs ?? 1) }, (_, index) => first + index);

if (testRedisUrl === undefined) {
  process.stderr.write('SKIPPED: the audit over two processes: REDIS_URL is not set\n');
}

/** Maximum duration of a run: the storm, a lease, a sweep, and starts on a slow machine. */
const RUN_MS = 150_000;

function expectNothingWrong(name: string, seed: number, { figures, violations }: Run): void {
  process.stderr.write(`AUDIT_SEED=${seed} ${name}: ${figures}\n`);
  expect(violations.join('\n\n')).toBe('');
}

describe('the stored data after a storm equals the data shown to clients', () => {
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
