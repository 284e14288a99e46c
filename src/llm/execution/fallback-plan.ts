import type { Clock } from '../../common/clock.js';
import type { ResolvedModel } from '../models/model-directory.js';
import type { ProviderError } from '../port/index.js';
import { Backoff } from '../resilience/backoff.js';
import { nextAction } from '../resilience/retry-policy.js';

/** Which model is asked next, after a wait or not, and when to give up. */
export class FallbackPlan {
  private index = 0;
  private retries = 0;
  private backoff: Backoff;

  /** @param maxRetries tries at one model beyond the first */
  constructor(
    private readonly chain: readonly ResolvedModel[],
    private readonly maxRetries: number,
    private readonly signal: AbortSignal,
    private readonly clock: Clock,
  ) {
    this.backoff = new Backoff(clock);
  }

  /** The model to ask now, or undefined where there is none left. */
  get model(): ResolvedModel | undefined {
    return this.chain[this.index];
  }

  /** After a failure that nobody saw anything of: whether there is another try. Waits where it must be waited. */
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

  /** To the next model, whatever is thought of this one: whether there is one that may be asked the same. */
  moveOnAfter(error: ProviderError): boolean {
    return nextAction(error, 0) !== 'give_up' && this.moveOn();
  }

  /** To the next model of the chain: whether there is one. */
  private moveOn(): boolean {
    this.index += 1;
    this.retries = 0;
    this.backoff = new Backoff(this.clock);
    return this.model !== undefined;
  }
}
