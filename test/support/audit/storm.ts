import { setTimeout as delay } from 'node:timers/promises';
import { registerUser } from '../client.js';
import { query, until } from '../stored.js';
import { audit } from './audit.js';
import { AuditClient } from './audit-client.js';
import type { Run } from './audit-runs.js';
import type { ProcessOptions } from './process-group.js';
import { Random } from './random.js';
import { World } from './world.js';

/** Duration of the requests, in milliseconds. */
const STORM_MS = 12_000;

/**
 * Duration of the kills if leases outlive them, in milliseconds: the rest of the storm encounters the answers
 * they left.
 */
const KILLING_MS = 6000;

/**
 * Time by which the last answer of a dead process must have ended: its lease, plus the wait for the sweep.
 */
const SETTLED_MS = 45_000;

const CLIENTS = 10;

/**
 * Runs clients in a storm, and the audit after it. A seed reproduces every decision, but not their
 * interleaving.
 */
export async function runStorm(seed: number, options: ProcessOptions): Promise<Run> {
  const random = new Random(seed);
  const world = await World.create(random.fork(), options);
  try {
    const storm = new AbortController();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, index) => {
        const dice = random.fork();
        const { token } = await registerUser(world.url(dice));
        return new AuditClient(`client ${index}`, token, world, dice, storm.signal);
      }),
    );
    const killing = world.killAtRandom(
      random.fork(),
      world.logged ? AbortSignal.timeout(KILLING_MS) : storm.signal,
    );
    const cutting = world.cutAtRandom(random.fork(), storm.signal);
    const working = clients.map((client) => client.run());
    await delay(STORM_MS);
    storm.abort();
    await Promise.all([killing, cutting, ...working]);
    const settledMs = await settle(world);
    await audit(
      world,
      clients.flatMap(({ views }) => views),
    );
    const texts = await storedTexts(world);
    for (const client of clients) await client.lookAgain(texts);
    return world.journal.toRun(settledMs);
  } finally {
    await world.close();
  }
}

/**
 * Waits until nothing is being generated, and returns the duration; the audit reports answers that never
 * ended.
 */
async function settle({ database }: World): Promise<number> {
  const began = performance.now();
  const sql = `SELECT id FROM messages WHERE status = 'generating'`;
  const ended = until(
    'the end of all answers',
    async () => (await query(database, sql)).length === 0,
    SETTLED_MS,
  );
  await ended.catch(() => undefined);
  return performance.now() - began;
}

async function storedTexts({ database }: World): Promise<ReadonlyMap<string, string>> {
  const rows = await query(database, `SELECT id, content FROM messages WHERE role = 'assistant'`);
  return new Map(rows.map(({ id, content }) => [String(id), String(content)]));
}
