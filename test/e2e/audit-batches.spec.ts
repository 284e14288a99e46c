// Real components: the built API and workers as processes that are killed, stopped and cut off from their stores, PostgreSQL,
// a folder of files, providers and, in a run with Redis, a Redis server of its own.
import { describe, it } from '@jest/globals';
import { describeAudit, expectNothingWrong, FIRST_SEED } from '../support/audit/audit-runs.js';
import { runBatchKills } from '../support/audit/batch-kills.js';
import { runBatchStorm } from '../support/audit/batch-storm.js';

/*
 * Several accounts randomly submit batches with both APIs, poll, cancel, retry, delete and read them, while one call of a
 * provider in ten fails. Then each request must have one result, and the ledger, the requests and the batches the same
 * usage. A seed reproduces every decision, but not the timing of the machine.
 */

describeAudit(
  'the batches that have ended after a storm have each request once, and usage equal to the ledger',
  runBatchStorm,
  'an API and two workers',
);

/** Number of kills of the long run; it runs if this is set. */
const kills = Number(process.env['AUDIT_KILLS'] ?? 0);

describe('a batch of 2,000 requests', () => {
  (kills > 0 ? it : it.skip)(
    'completes by itself after kills of the API, workers, Redis and PostgreSQL, each request once',
    async () => {
      expectNothingWrong(`${String(kills)} kills`, FIRST_SEED, await runBatchKills(FIRST_SEED, kills));
    },
    60 * 60_000,
  );
});
