import type { Clock } from '../../common/clock.js';
import type { ResolvedModel } from '../models/model-directory.js';
import type { ProviderError } from '../port/index.js';
import { Backoff } from '../resilience/backoff.js';
import { nextAction } from '../resilience/retry-policy.js';

/** Decides which model to call next, whether to wait first, and when to give up. */
export class FallbackPlan {
  private index = 0;
  private retries = 0;
  private backoff: Backoff;

  /** @param maxRetries maximum attempts at one model beyond the first */
  constructor(
    private readonly chain: readonly ResolvedModel[],
    private readonly maxRetries: number,
    private readonly signal: AbortSignal,
    private readonly clock: Clock,
  ) {
    this.backoff = new Backoff(clock);
  }

  /** Returns the model to call now, or undefined if none is left. */
  get model(): ResolvedModel | undefined {
    return this.chain[this.index];
  }

  /**
   * Returns true if another attempt follows a failure without visible output, after waiting for the backoff if
   * there is one.
   */
  async goOnAfter(error: ProviderError): Promise<boolean> {
    switch (nextAction(error, this.maxRetries - this.retries)) {
      case 'retry':
        this.retries += 1;
        await this.backoff.wait(error, this.signal);
        return true;
      case 'next':
        return this.moveOn();
      case 'give_up':
        return false;
    }
  }

  /**
   * Moves on to the next model, without a retry of this one. Returns false if there is none or the request
   * itself is at fault.
   */
  moveOnAfter(error: ProviderError): boolean {
    return nextAction(error, 0) !== 'give_up' && this.moveOn();
  }

  /** Moves on to the next model of the chain. Returns false if there is none. */
  private moveOn(): boolean {
    this.index += 1;
    this.retries = 0;
    this.backoff = new Backoff(this.clock);
    return this.model !== undefined;
  }
}
