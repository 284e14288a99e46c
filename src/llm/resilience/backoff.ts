import { ExponentialBackoff, fullJitterGenerator } from 'cockatiel';
import type { Clock } from '../../common/clock.js';
import type { ProviderError } from '../port/index.js';

/** Exponential backoff with full jitter: from zero up to a limit that doubles. In milliseconds. */
const BACKOFF = new ExponentialBackoff({
  generator: fullJitterGenerator,
  initialDelay: 250,
  maxDelay: 8_000,
});

/** Delays between the attempts at one model. */
export class Backoff {
  private next = BACKOFF.next();

  constructor(private readonly clock: Clock) {}

  /**
   * Waits for the delay that the provider asked for, else for a random delay that grows with each attempt. Ends
   * early if the signal aborts.
   */
  async wait(error: ProviderError, signal: AbortSignal): Promise<void> {
    const waitMs = error.retryAfterMs ?? this.next.duration;
    this.next = this.next.next(undefined);
    await this.clock.wait(waitMs, signal);
  }
}
