import { TransientSet } from '../../common/transient-set.js';
import { type CallPriority, ProviderError } from '../port/index.js';

/** Delay before the next attempt if the queue is full, in milliseconds. */
const RETRY_AFTER_MS = 1000;

/** Share of the slots that background callers leave to interactive ones. */
const RESERVED_SHARE = 1 / 4;

/**
 * A limited number of slots, first come, first served. Background callers wait in a queue of their own, which has no
 * limit. They get a slot only while no interactive caller waits, and never one of the last quarter of the slots.
 */
export class ConcurrencyLimiter {
  private free: number;
  /** Slots that background callers leave free. A single slot is for all. */
  private readonly reserved: number;
  /** In order of arrival. No slot is free while anyone waits here. */
  private readonly interactive = new TransientSet<() => void>();
  /** In order of arrival. Only reserved slots are free while anyone waits here. */
  private readonly background = new TransientSet<() => void>();

  constructor(
    private readonly count: number,
    private readonly maxQueue: number,
  ) {
    this.free = count;
    this.reserved = count > 1 ? Math.ceil(count * RESERVED_SHARE) : 0;
  }

  /** Number of slots in use. */
  get running(): number {
    return this.count - this.free;
  }

  /** Length of both queues. */
  get queued(): number {
    return this.interactive.size + this.background.size;
  }

  /**
   * Waits for a slot and resolves with its release function, which must be called once. An aborted caller
   * leaves the queue immediately.
   * @throws ProviderError `overloaded` immediately if the queue of interactive callers is full
   */
  async acquire(signal: AbortSignal, priority: CallPriority = 'interactive'): Promise<() => void> {
    signal.throwIfAborted();
    if (this.free > (priority === 'background' ? this.reserved : 0)) {
      this.free -= 1;
    } else {
      if (priority === 'interactive' && this.interactive.size >= this.maxQueue) throw overloaded();
      await this.wait(this[priority], signal);
    }
    return () => {
      this.release();
    };
  }

  private wait(queue: TransientSet<() => void>, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const dequeue = queue.add(() => {
        dequeue();
        signal.removeEventListener('abort', leave);
        resolve();
      });
      const leave = (): void => {
        dequeue();
        reject(new Error('The call was cancelled while it was queued.', { cause: signal.reason }));
      };
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Hands the slot directly to the next in a queue, so that no later caller can take it. */
  private release(): void {
    const next = this.interactive.first;
    if (next !== undefined) {
      next();
      return;
    }
    this.free += 1;
    const nextInBackground = this.background.first;
    if (nextInBackground === undefined || this.free <= this.reserved) return;
    this.free -= 1;
    nextInBackground();
  }
}

function overloaded(): ProviderError {
  return new ProviderError('overloaded', 'Too many requests are waiting for this provider.', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
