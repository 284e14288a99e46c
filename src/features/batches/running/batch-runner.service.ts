import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { batchesConfig } from '../../../config/index.js';
import type { ClaimedItem } from '../model/batch-item.js';
import { FIRST_OWNER, ItemClaimRepository, type ItemLease } from '../rows/item-claim.repository.js';
import { BatchQueue } from './batch.queue.js';
import { ItemRunnerService } from './item-runner.service.js';
import { ResultBuffer } from './result-buffer.js';

/** Interval at which leases are renewed, in milliseconds. A cancelled batch stops its running calls that soon. */
const RENEW_MS = 5_000;

/**
 * Time for which running items may finish when the process stops, in milliseconds: what a hook of the shutdown may take
 * (9 s), less the time to abort the calls of the others and to give them back.
 */
const DRAIN_MS = 5_000;

interface RunningItem {
  readonly item: ClaimedItem;
  readonly held: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Claims items of batches and runs them, as many at once as configured. The result does not depend on which process runs
 * an item, or on how often any process is woken up.
 */
@Injectable()
export class BatchRunnerService {
  private readonly logger = new Logger(BatchRunnerService.name);
  private readonly running = new Set<RunningItem>();
  /** Owner that had the last turn. */
  private lastOwner = FIRST_OWNER;
  private filling: Promise<void> | undefined;
  /** True if there was a wake-up while items were claimed: they are looked for once more. */
  private isAwake = false;
  private isStopping = false;
  private renewal: NodeJS.Timeout | undefined;
  private resumption: NodeJS.Timeout | undefined;

  constructor(
    private readonly claims: ItemClaimRepository,
    private readonly items: ItemRunnerService,
    private readonly results: ResultBuffer,
    private readonly queue: BatchQueue,
    @Inject(batchesConfig.KEY) private readonly config: ConfigType<typeof batchesConfig>,
  ) {}

  /** Looks for items to run, now or as soon as there is a free slot. Returns immediately. */
  wake(): void {
    this.isAwake = true;
    if (this.isStopping || this.filling !== undefined) return;
    this.filling = this.fillSlots()
      .catch((error: unknown) => {
        this.isAwake = false;
        this.logger.warn({ err: error }, 'could not claim requests of batches; the next sweep will retry');
      })
      .finally(() => {
        this.filling = undefined;
        // It came after the last look.
        if (this.isAwake) this.wake();
      });
  }

  /** Starts to renew the leases of running items. */
  start(): void {
    this.renewal = setInterval(() => {
      void this.renewLeases();
    }, RENEW_MS).unref();
  }

  /** Lets running items finish for some seconds, then aborts and releases them. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.results.stop();
    clearTimeout(this.resumption);
    await this.filling;
    const ends = Promise.all(Array.from(this.running, ({ ended }) => ended));
    const drain = setTimeout(() => {
      for (const { held } of this.running) held.abort();
    }, DRAIN_MS);
    await ends;
    clearTimeout(drain);
    clearInterval(this.renewal);
  }

  private async fillSlots(): Promise<void> {
    while (this.isAwake && !this.isStopping) {
      this.isAwake = false;
      let emptyRounds = 0;
      while (emptyRounds < 2 && this.freeSlots > 0) {
        const after = this.lastOwner;
        const { fullLanes, slotsOfLane } = this.countLanes();
        const { items, next } = await this.claims.claimItems({
          after,
          // The items may all have the same provider.
          slots: Math.min(this.freeSlots, slotsOfLane),
          // One place stays for what the owner does meanwhile.
          ownerSlots: Math.max(1, this.config.accountConcurrency - 1),
          pausedLanes: [...this.items.lanes.activeKeys(), ...fullLanes],
          pausedOwners: this.items.owners.activeKeys(),
        });
        this.lastOwner = next;
        for (const item of items) this.runItem(item);
        if (items.length > 0) emptyRounds = 0;
        // The first one may have begun in the middle of the owners.
        else if (next === FIRST_OWNER) emptyRounds += after === FIRST_OWNER ? 2 : 1;
      }
    }
    this.scheduleResumption();
  }

  /** Number of items that may be claimed now. */
  private get freeSlots(): number {
    return this.isStopping ? 0 : this.config.concurrency - this.running.size;
  }

  /**
   * Returns the providers that have as many slots as one may have, and the number of slots that any other may still
   * take. A quarter stays free for the others, so that a provider that is slow does not make them wait.
   */
  private countLanes(): { readonly fullLanes: string[]; readonly slotsOfLane: number } {
    const most = this.config.concurrency - Math.floor(this.config.concurrency / 4);
    const counts = new Map<string, number>();
    for (const { item } of this.running) counts.set(item.lane, (counts.get(item.lane) ?? 0) + 1);
    const full = [...counts].filter(([, count]) => count >= most);
    const others = [...counts.values()].filter((count) => count < most);
    return { fullLanes: full.map(([lane]) => lane), slotsOfLane: most - Math.max(0, ...others) };
  }

  private runItem(item: ClaimedItem): void {
    const held = new AbortController();
    const running: RunningItem = { item, held, ended: this.finishItem(item, held.signal) };
    this.running.add(running);
    void running.ended.finally(() => {
      this.running.delete(running);
      this.wake();
    });
  }

  /** A slot is free after the commit only: a kill repeats no more items than there are slots. */
  private async finishItem(item: ClaimedItem, held: AbortSignal): Promise<void> {
    const complete = await this.results.store(await this.items.attemptItem(item, held));
    for (const batch of complete) this.queue.announce(batch);
  }

  private async renewLeases(): Promise<void> {
    const running = [...this.running];
    if (running.length === 0) return;
    try {
      const renewed = await this.claims.renewLeases(running.map(({ item }) => item));
      const held = new Set(renewed.map(toLeaseKey));
      for (const { item, held: lease } of running) if (!held.has(toLeaseKey(item))) lease.abort();
    } catch (error) {
      this.logger.debug({ err: error }, 'could not renew the leases of requests of batches; will retry');
    }
  }

  /** Wakes up when the next pause ends. */
  private scheduleResumption(): void {
    clearTimeout(this.resumption);
    const waits = [this.items.lanes.nextEndMs(), this.items.owners.nextEndMs()].filter(
      (wait) => wait !== undefined,
    );
    if (waits.length === 0 || this.isStopping) return;
    this.resumption = setTimeout(
      () => {
        this.wake();
      },
      Math.min(...waits),
    ).unref();
  }
}

function toLeaseKey({ batchId, line, leaseId }: ItemLease): string {
  return `${batchId} ${String(line)} ${leaseId}`;
}
