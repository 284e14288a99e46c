import { auditRedis, flushRedis } from './batch-leftovers.js';
import { type BatchWorld, REDIS_SETTINGS, RENEWAL_MS } from './batch-world.js';
import { waitUnlessAborted } from './process-group.js';
import type { Random } from './random.js';

/** Maximum wait for requests to the providers, and interval of checks, in milliseconds. */
const CALLS_MS = 4_000;
const LOOK_MS = 50;

/**
 * Kills, restarts and suspends one process at random until the signal aborts; it runs when this resolves. A suspension
 * may last longer than the leases, which other processes then take.
 */
export async function interruptAtRandom(
  world: BatchWorld,
  index: number,
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const { processes } = world;
  for (;;) {
    // However fast the machine is, there is some progress between two interruptions.
    await waitForCalls(world, random.whole(1, 60), signal);
    if (signal.aborted) return;
    const dice = random.next();
    if (dice < 0.55) await processes.kill(index);
    else if (dice < 0.7) await processes.restart(index);
    else if (dice < 0.85)
      await processes.suspend(index, () => waitUnlessAborted(random.whole(100, 1500), signal));
    else await suspendBeyondLeases(world, index, random, signal);
  }
}

/** Waits until the providers have received some requests more, or none for too long. */
async function waitForCalls({ providers }: BatchWorld, calls: number, signal: AbortSignal): Promise<void> {
  const count = (): number => providers.reduce((sum, { received }) => sum + received, 0);
  const last = count() + calls;
  const deadline = performance.now() + CALLS_MS;
  await waitUnlessAborted(LOOK_MS, signal);
  while (count() < last && performance.now() < deadline && !signal.aborted)
    await waitUnlessAborted(LOOK_MS, signal);
}

async function suspendBeyondLeases(
  world: BatchWorld,
  index: number,
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const since = performance.now();
  // Others renew theirs meanwhile; if there are none, all leases are those of this process.
  const waitMs = world.processes.size === 1 ? random.whole(100, 500) : RENEWAL_MS;
  await world.processes.suspend(index, async () => {
    await waitUnlessAborted(waitMs, signal);
    if (signal.aborted) return;
    await world.expireLeases(since);
    world.journal.count('suspensions beyond the leases');
    await waitUnlessAborted(random.whole(0, 2500), signal);
  });
}

/** Deletes the data of Redis, and kills its server, at random until the signal aborts; it runs when this resolves. */
export async function disturbRedis(world: BatchWorld, random: Random, signal: AbortSignal): Promise<void> {
  const { redis, journal } = world;
  while (redis !== undefined) {
    await waitUnlessAborted(random.whole(800, 3500), signal);
    if (signal.aborted) return;
    await auditRedis(world);
    if (random.chance(0.6)) {
      await flushRedis(world);
      continue;
    }
    journal.count('kills of Redis');
    await redis.stop();
    await waitUnlessAborted(random.whole(0, 800), signal);
    await redis.start(...REDIS_SETTINGS);
  }
}
