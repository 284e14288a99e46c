import { ProviderError } from '../port/index.js';

/** Delay before the next attempt if the queue is full, in milliseconds. */
const RETRY_AFTER_MS = 1000;

/** A limited number of slots with a limited queue, first come, first served. */
export class ConcurrencyLimiter {
  private free: number;
  /** In order of arrival. */
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly count: number,
    private readonly maxQueue: number,
  ) {
    this.free = count;
  }

  /** Number of slots in use. */
  get running(): number {
    return this.count - this.free;
  }

  /** Length of the queue. */
  get queued(): number {
    return this.waiting.size;
  }

  /**
   * Waits for a slot and resolves with its release function, which must be called once. An aborted caller
   * leaves the queue immediately.
   * @throws ProviderError `overloaded` immediately if the queue is full
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.free > 0) {
      this.free -= 1;
    } else {
      if (this.waiting.size >= this.maxQueue) throw overloaded();
      await this.wait(signal);
    }
    return () => {
      this.release();
    };
  }

  private wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.waiting.delete(grant);
        reject(new Error('The call was cancelled while it was queued.', { cause: signal.reason }));
      };
      this.waiting.add(grant);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Hands the slot directly to the next in the queue, so that no later caller can take it. */
  private release(): void {
    const [next] = this.waiting;
    if (next === undefined) {
      this.free += 1;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}

function overloaded(): ProviderError {
  return new ProviderError('overloaded', 'Too many requests are waiting for this provider.', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
