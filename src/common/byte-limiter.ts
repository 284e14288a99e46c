import { ServerBusyError } from './errors.js';

/** Delay after which a refused caller is asked to try again, in milliseconds. */
const RETRY_AFTER_MS = 5_000;

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * Bounds how many bytes are held in memory at once. Whoever needs more than are free waits, in the order of arrival, so
 * that small needs do not overtake large ones for ever. A need above the whole capacity is admitted alone.
 */
export class ByteLimiter {
  private used = 0;
  private readonly waiting: Waiter[] = [];

  constructor(
    private readonly capacity: number,
    /** Maximum wait, in milliseconds. */
    private readonly maxWaitMs: number,
  ) {}

  /** Returns a lease that holds nothing yet. */
  lease(): ByteLease {
    return new ByteLease(this);
  }

  /**
   * Resolves when the bytes are held.
   * @returns releases them; calling it again does nothing
   * @throws ServerBusyError after the maximum wait, and the signal's reason when it aborts
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    // Between this check and the count nothing else runs.
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
      // It may have kept back others who need less.
      this.admitWaiters();
    };
    const abort = (): void => {
      refuse(signal.reason);
    };
    const timer = setTimeout(() => {
      refuse(
        new ServerBusyError(
          'The server holds its maximum of files in memory. Try again in a moment.',
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
      // Counted here and not when the waiter goes on, or the next one would see the same room.
      this.used += first.bytes;
      first.admit();
    }
  }

  private hasRoomFor(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.capacity;
  }
}

/** Bytes that one piece of work holds. Released together, however the work ends. */
export class ByteLease {
  private releaseHeld: () => void = () => undefined;

  constructor(private readonly limiter: ByteLimiter) {}

  /**
   * Holds so many bytes in place of what it held before.
   * @throws as `ByteLimiter.acquire` does; it holds nothing then
   */
  async hold(bytes: number, signal: AbortSignal): Promise<void> {
    this.release();
    if (bytes > 0) this.releaseHeld = await this.limiter.acquire(bytes, signal);
  }

  /** Gives everything back. May be called again. */
  release(): void {
    this.releaseHeld();
    this.releaseHeld = () => undefined;
  }
}
