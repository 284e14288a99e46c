import { TransientSet } from '../../common/transient-set.js';

/** Share of the connections of the pool that statements of low priority use. */
const SHARE = 1 / 5;

/**
 * Time after which a running statement no longer counts, in milliseconds: far longer than such a statement takes, so it is
 * blocked by a lock or waits for a connection.
 */
const BLOCKED_AFTER_MS = 100;

/** Maximum time that a statement waits here, in milliseconds. After that it has the priority of all others. */
const MAX_WAIT_MS = 1_000;

/**
 * Limits how many statements of low priority run at once, first come, first served. The others do not compete for
 * connections and processors with statements that a client waits for before its first byte.
 */
export class LowPriorityLimiter {
  private free: number;
  /** In order of arrival. None is free while anyone waits here. */
  private readonly queue = new TransientSet<() => void>();

  /** @param connections maximum number of connections of the pool; a fifth of them may be used at once, at least one */
  constructor(connections: number) {
    this.free = Math.max(1, Math.floor(connections * SHARE));
  }

  /** Runs work as soon as the limit allows it, or after the maximum wait. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const release = await this.acquire();
    const timer = setTimeout(release, BLOCKED_AFTER_MS);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      release();
    }
  }

  /** Resolves with a function that releases what was acquired; further calls do nothing. */
  private async acquire(): Promise<() => void> {
    if (this.free > 0) this.free -= 1;
    else if (!(await this.wait())) return () => undefined;
    let isHeld = true;
    return () => {
      if (isHeld) this.release();
      isHeld = false;
    };
  }

  /** Resolves with true once another has released, or with false after the maximum wait. */
  private wait(): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = (isGranted: boolean): void => {
        clearTimeout(timer);
        dequeue();
        resolve(isGranted);
      };
      const timer = setTimeout(leave, MAX_WAIT_MS, false);
      const dequeue = this.queue.add(() => {
        leave(true);
      });
    });
  }

  /** Hands over directly to the next in the queue, so that no later one can come first. */
  private release(): void {
    const next = this.queue.first;
    if (next === undefined) this.free += 1;
    else next();
  }
}
