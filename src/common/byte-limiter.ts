import { ServerBusyError } from './errors.js';

/** Retry delay reported to a rejected caller, in milliseconds. */
const RETRY_AFTER_MS = 5_000;

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * Limits the number of bytes in memory at once. Callers that need more than are available wait in order of arrival,
 * so that small requests do not starve large ones. A request above the whole capacity is admitted alone.
 */
export class ByteLimiter {
  private used = 0;
  private readonly waiting: Waiter[] = [];

  constructor(
    private readonly capacity: number,
    /** Maximum wait, in milliseconds. */
    private readonly maxWaitMs: number,
  ) {}

  /** Returns a lease without any bytes. */
  lease(): ByteLease {
    return new ByteLease(this);
  }

  /**
   * Resolves once the bytes are acquired.
   * @returns function that releases them; calling it again does nothing
   * @throws ServerBusyError after the maximum wait, and the signal's reason when it aborts
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    // Nothing else runs between this check and the update.
    if (this.waiting.length > 0 || !this.hasRoomFor(bytes)) await this.wait(bytes, signal);
    else this.used += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.used -= bytes;
      this.admitWaiters();
    };
  }

  private async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter = {
      bytes,
      admit: () => {
        resolve(undefined);
      },
    };
    this.waiting.push(waiter);
    const refuse = (error: unknown): void => {
      const index = this.waiting.indexOf(waiter);
      // Admitted in the meantime.
      if (index < 0) return;
      this.waiting.splice(index, 1);
      reject(error instanceof Error ? error : new Error('The wait was aborted.'));
      // It may have blocked others that need less.
      this.admitWaiters();
    };
    const abort = (): void => {
      refuse(signal.reason);
    };
    const timer = setTimeout(() => {
      refuse(
        new ServerBusyError(
          'The server has no memory left for more files. Try again in a moment.',
          RETRY_AFTER_MS,
        ),
      );
    }, this.maxWaitMs);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  private admitWaiters(): void {
    for (
      let [first] = this.waiting;
      first !== undefined && this.hasRoomFor(first.bytes);
      [first] = this.waiting
    ) {
      this.waiting.shift();
      // Counted here rather than when the waiter resumes, otherwise the next one would see the same free bytes.
      this.used += first.bytes;
      first.admit();
    }
  }

  private hasRoomFor(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.capacity;
  }
}

/** The bytes acquired for one operation. Released together, however the operation ends. */
export class ByteLease {
  private releaseHeld: () => void = () => undefined;

  constructor(private readonly limiter: ByteLimiter) {}

  /**
   * Acquires bytes in place of those acquired before.
   * @throws as `ByteLimiter.acquire` does; in that case nothing is acquired
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    this.release();
    if (bytes > 0) this.releaseHeld = await this.limiter.acquire(bytes, signal);
  }

  /** Releases all bytes. Idempotent. */
  release(): void {
    this.releaseHeld();
    this.releaseHeld = () => undefined;
  }
}
