/** Limits of the memory for parts of uploads. */
export interface PartMemoryLimits {
  /** Maximum bytes of the process. */
  readonly total: number;
  /** Maximum bytes of one folder, so that the uploads of one account cannot take all. */
  readonly perFolder: number;
  /** Time after which a part that is still being received loses its memory if another folder waits, in milliseconds. */
  readonly receiveMs: number;
}

interface Waiter {
  readonly folder: string;
  readonly bytes: number;
  readonly grant: (lease: PartLease) => void;
}

/**
 * Limits the bytes of parts of uploads in memory. Uploads that need more than is free wait: first those of the folder
 * with the fewest bytes, otherwise in order of arrival. A part that exceeds a limit by itself is admitted alone.
 */
export class PartMemory {
  /** In the order in which they were granted. */
  private readonly leases = new Set<PartLease>();
  /** In order of arrival. */
  private readonly waiting = new Set<Waiter>();
  /** Bytes of each folder that has any. */
  private readonly usedBy = new Map<string, number>();
  private used = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly limits: PartMemoryLimits) {}

  /** Bytes in use. */
  get usedBytes(): number {
    return this.used;
  }

  /** Number of uploads that wait. */
  get queued(): number {
    return this.waiting.size;
  }

  /**
   * Waits for memory and returns its lease, which must be released. An aborted caller leaves the queue immediately.
   * @throws the signal's reason when it aborts
   */
  async acquire(folder: string, bytes: number, signal: AbortSignal): Promise<PartLease> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<PartLease>();
    const waiter = { folder, bytes, grant: resolve };
    const leave = (): void => {
      // If it was admitted in the meantime, the caller has the lease.
      this.waiting.delete(waiter);
      // It may have been the first one, or the only one.
      this.admitWaiters();
      const reason: unknown = signal.reason;
      reject(reason instanceof Error ? reason : new Error('The wait was aborted.'));
    };
    signal.addEventListener('abort', leave, { once: true });
    this.waiting.add(waiter);
    this.admitWaiters();
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  private admitWaiters(): void {
    for (
      let next = this.nextWaiter();
      next !== undefined && fits(this.used, next.bytes, this.limits.total);
      next = this.nextWaiter()
    ) {
      this.waiting.delete(next);
      next.grant(this.createLease(next));
    }
    this.scheduleRevocation();
  }

  private createLease({ folder, bytes }: Waiter): PartLease {
    const lease = new PartLease(bytes, () => {
      if (!this.leases.delete(lease)) return;
      this.count(folder, -bytes);
      this.admitWaiters();
    });
    this.leases.add(lease);
    this.count(folder, bytes);
    return lease;
  }

  private count(folder: string, change: number): void {
    this.used += change;
    const used = (this.usedBy.get(folder) ?? 0) + change;
    if (used === 0) this.usedBy.delete(folder);
    else this.usedBy.set(folder, used);
  }

  /** Returns the first of the waiting uploads whose folder has the fewest bytes and may have as many more. */
  private nextWaiter(): Waiter | undefined {
    let first: Waiter | undefined;
    let fewest = Infinity;
    for (const waiter of this.waiting) {
      const used = this.usedBy.get(waiter.folder) ?? 0;
      if (used >= fewest || !fits(used, waiter.bytes, this.limits.perFolder)) continue;
      [first, fewest] = [waiter, used];
      if (used === 0) break;
    }
    return first;
  }

  /**
   * Revokes the lease that has been receiving for the longest time when its time is over, if an upload waits only
   * because of others. Uploads of one account that wait for each other may be as slow as their common connection.
   */
  private scheduleRevocation(): void {
    clearTimeout(this.timer);
    if (this.nextWaiter() === undefined) return;
    const slowest = this.leases.values().find((lease) => lease.isReceiving);
    if (slowest === undefined) return;
    this.timer = setTimeout(
      () => {
        // Its upload releases it, which admits the next one and schedules again.
        if (slowest.isReceiving) slowest.revoke();
        else this.scheduleRevocation();
      },
      Math.max(0, slowest.grantedAt + this.limits.receiveMs - performance.now()),
    );
    this.timer.unref();
  }
}

function fits(used: number, bytes: number, limit: number): boolean {
  return used === 0 || used + bytes <= limit;
}

/** Permission to have one part in memory. */
export class PartLease {
  readonly grantedAt = performance.now();
  private readonly revocation = new AbortController();
  private receiving = true;

  constructor(
    /** Maximum size of the part. */
    readonly bytes: number,
    /** Makes the memory available to others. Idempotent. */
    readonly release: () => void,
  ) {}

  /** Aborts when the upload was too slow: it must release the memory at once. */
  get revoked(): AbortSignal {
    return this.revocation.signal;
  }

  /** True while the part is being received from the client, and the lease may be revoked. */
  get isReceiving(): boolean {
    return this.receiving;
  }

  /** Notes that the part is complete: from now on only the store can delay it. */
  endReceiving(): void {
    this.receiving = false;
  }

  revoke(): void {
    this.receiving = false;
    this.revocation.abort();
  }
}
