import { ExponentialBackoff, fullJitterGenerator } from 'cockatiel';
import type { Clock } from '../../common/clock.js';
import type { ProviderError } from '../port/index.js';

/** Exponential with full jitter: from nothing up to a bound that doubles. Milliseconds. */
const BACKOFF = new ExponentialBackoff({
  generator: fullJitterGenerator,
  initialDelay: 250,
  maxDelay: 8_000,
});

/** The waits between the tries at one model. */
export class Backoff {
  private next = BACKOFF.next();

  constructor(private readonly clock: Clock) {}

  /** Waits as the provider told, else for a random while that grows from try to try. Ends early when the signal aborts. */
  async wait(error: ProviderError, signal: AbortSignal): Promise<void> {
    const waitMs = error.retryAfterMs ?? this.next.duration;
    this.next = this.next.next(undefined);
    await this.clock.wait(waitMs, signal);
  }
}
