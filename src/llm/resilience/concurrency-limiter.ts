import { ProviderError } from '../port/index.js';

/** When to come back where too many wait, in milliseconds. */
const RETRY_AFTER_MS = 1000;

/** A bounded number of places and a bounded queue for them, first come, first served. */
export class ConcurrencyLimiter {
  private free: number;
  /** In the order in which they came. */
  private readonly waiting = new Set<() => void>();

  constructor(
    count: number,
    private readonly maxQueue: number,
  ) {
    this.free = count;
  }

  /**
   * Waits for a place and resolves with its release, which must be called, once. Who leaves is out of the queue at once.
   * @throws ProviderError `overloaded` at once where too many wait
   */
  async take(signal: AbortSignal): Promise<() => void> {
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

  /** The place goes from hand to hand, so that nobody who comes later can take it from who waits. */
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
