import { setTimeout as delay } from 'node:timers/promises';
import { registerUser } from '../client.js';
import { query } from '../stored.js';
import type { Run } from './audit-runs.js';
import {
  auditBatch,
  auditLists,
  auditPolls,
  auditResults,
  readStoredBatches,
  settleBatches,
} from './batch-audit.js';
import { BatchClient, useBatchesAtRandom } from './batch-client.js';
import { disturbRedis, interruptAtRandom } from './batch-interruptions.js';
import { auditCalls, auditExpiredLeases, type CallFigures } from './batch-ledger.js';
import { auditRedis, auditResultFiles } from './batch-leftovers.js';
import { newSentBatch } from './batch-model.js';
import { BatchWorld, RENEWAL_MS } from './batch-world.js';
import type { ProcessOptions } from './process-group.js';
import { Random } from './random.js';

/** Duration of the requests, in milliseconds. */
const STORM_MS = 8_000;

/** Duration of interruptions if leases of the dead must be distinguished from those of the living, in milliseconds. */
const INTERRUPTION_MS = 7_000;

const ACCOUNTS = 4;

/** Maximum number of batches of an account, and of its clients that use them at once. */
const BATCHES_OF_ACCOUNT = 6;
const CLIENTS_OF_ACCOUNT = 2;

/** Number of polls that must change nothing. */
const POLLS = 100;

/** Runs accounts with batches in a storm, and the audit after it. A seed reproduces every decision. */
export async function runBatchStorm(seed: number, options: ProcessOptions): Promise<Run> {
  const random = new Random(seed);
  const world = await BatchWorld.create(random.fork(), options);
  try {
    const clients = await Promise.all(
      Array.from({ length: ACCOUNTS }, (_, index) => registerClient(world, index, random.fork())),
    );
    const storm = new AbortController();
    // Each has a batch from the beginning, in the middle of which the first interruption comes.
    await Promise.all(
      clients.map((client) => {
        const dice = random.fork();
        return client.submit(newSentBatch(dice, client.name), dice, storm.signal);
      }),
    );
    const interruption = world.processes.size === 1 ? storm.signal : AbortSignal.timeout(INTERRUPTION_MS);
    const disturbing = [
      ...Array.from({ length: world.processes.size }, (_, index) =>
        interruptAtRandom(world, index, random.fork(), interruption),
      ),
      world.cuts.cutAtRandom(random.fork(), interruption),
      disturbRedis(world, random.fork(), storm.signal),
    ];
    const working = clients.flatMap((client) =>
      Array.from({ length: CLIENTS_OF_ACCOUNT }, () =>
        useBatchesAtRandom(client, random.fork(), storm.signal, BATCHES_OF_ACCOUNT),
      ),
    );
    await world.processes.runFor(STORM_MS);
    storm.abort();
    await Promise.all([...disturbing, ...working]);
    const ended = performance.now();
    await expireDeadLeases(world, ended);
    const figures = await auditAll(world, clients);
    auditExpiredLeases(world, figures, countDisturbances(world));
    return world.journal.toRun(performance.now() - ended);
  } finally {
    await world.close();
  }
}

/** Registers an account. Only the first one deletes batches. */
export async function registerClient(world: BatchWorld, index: number, random: Random): Promise<BatchClient> {
  const { token, email } = await registerUser(world.processes.url(random));
  const [account] = await query(world.database, 'SELECT id FROM users WHERE email = $1', [email]);
  return new BatchClient(
    `account-${String(index)}`,
    String(account?.['id']),
    email,
    token,
    world,
    index === 0,
  );
}

/** Waits until all batches have ended, and compares everything with what was sent. */
export async function auditAll(world: BatchWorld, clients: readonly BatchClient[]): Promise<CallFigures> {
  await settleBatches(world);
  const stored = await readStoredBatches(world, clients);
  for (const batch of stored) {
    auditBatch(batch);
    await auditResults(batch);
  }
  for (const client of clients) await auditLists(client, stored);
  await auditPolls(world, stored, POLLS);
  const figures = await auditCalls(world, clients, stored);
  await auditResultFiles(world);
  await auditRedis(world);
  return figures;
}

/** Ends the leases of processes that died, once those of the others have been renewed. */
async function expireDeadLeases(world: BatchWorld, ended: number): Promise<void> {
  // Cuts and restarts lose leases as well: a claim whose answer was lost is held by nobody.
  const last = Math.max(ended, ...world.processes.kills.map(({ at }) => at));
  await delay(Math.max(0, last + RENEWAL_MS - performance.now()));
  await world.expireLeases(last);
}

/** Counts the times at which a process may have lost the leases of its items. */
function countDisturbances({ processes, cuts, journal }: BatchWorld): number {
  return processes.kills.length + cuts.outages.length + journal.countOf('suspensions') + processes.size;
}
