import type { TcpProxy } from '../tcp-proxy.js';
import type { Journal } from './journal.js';
import { type ProcessGroup, waitUnlessAborted } from './process-group.js';
import type { Random } from './random.js';

/** A store that a process may become disconnected from. */
export type Store = 'database' | 'redis';

/** A time in which a process could not reach a store, in milliseconds of this process. */
export interface Outage {
  readonly process: number;
  readonly store: Store;
  readonly from: number;
  readonly to: number;
}

/** Kind of disconnect: all connections break, once or for a while, or no data passes. */
type Cut = 'reset' | 'away' | 'hole';

/** The proxies of a process: one process may lose a store that another still reaches. */
type StoreProxies = Readonly<Partial<Record<Store, TcpProxy>>>;

/** Interval of checks for the start of a process, in milliseconds. */
const LOOK_MS = 100;

/** Disconnects the processes of a run from their stores. */
export class StoreCuts {
  readonly outages: Outage[] = [];

  /** @param proxies those of each process, in the order of the processes */
  constructor(
    private readonly journal: Journal,
    private readonly processes: ProcessGroup,
    private readonly proxies: readonly StoreProxies[],
  ) {}

  /**
   * Disconnects processes from their stores at random times until the signal aborts; all stores are connected
   * when it resolves.
   */
  async cutAtRandom(random: Random, signal: AbortSignal): Promise<void> {
    const hasRedis = this.proxies.some(({ redis }) => redis !== undefined);
    for (;;) {
      const process = random.whole(0, this.proxies.length - 1);
      // The storm must not be spent waiting for a process to start.
      while (!this.processes.isRunning(process) && !signal.aborted) await waitUnlessAborted(LOOK_MS, signal);
      await waitUnlessAborted(random.whole(200, 2500), signal);
      if (signal.aborted) return;
      if (!this.processes.isRunning(process)) continue;
      const store = hasRedis && random.chance(0.4) ? 'redis' : 'database';
      const cut = random.pick<Cut>(['reset', 'away', 'hole']);
      const lastsMs = random.whole(300, cut === 'hole' ? 3000 : 2000);
      const proxy = this.proxies[process]?.[store];
      if (proxy === undefined) throw new Error(`The process has no proxy to its ${store}.`);
      this.journal.count(`cuts of the ${store} (${cut})`);
      const from = performance.now();
      if (cut === 'hole') proxy.swallow();
      else proxy.cut();
      if (cut !== 'reset') await waitUnlessAborted(lastsMs, signal);
      proxy.restore();
      proxy.resume();
      const to = performance.now();
      this.outages.push({ process, store, from, to });
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.proxies.flatMap((stores) => Object.values(stores).map((proxy) => proxy.close())));
  }
}
