import type { AttemptRecord, BudgetLease } from '../port/index.js';

/**
 * One lease for all calls of a request. The budget is reserved when the first call needs it, so it is never
 * reserved if all calls are answered from the cache.
 */
export class SharedLease {
  private lease: Promise<BudgetLease> | undefined;
  private readonly attempts: AttemptRecord[] = [];

  /** @param reserve reserves the budget for all calls together */
  constructor(private readonly reserve: () => Promise<BudgetLease>) {}

  /**
   * Waits for the lease. The returned lease collects the attempts of one call.
   * @throws AppError if the budget refuses the request, for every call that joins
   */
  async join(): Promise<BudgetLease> {
    // There is no await between check and assignment: concurrent calls share one reservation.
    this.lease ??= this.reserve();
    await this.lease;
    return {
      settle: (attempts) => {
        this.attempts.push(...attempts);
      },
    };
  }

  /**
   * Settles the lease, if there is one, with the attempts of all calls. Call it once, after all of them have
   * ended.
   */
  async settle(): Promise<void> {
    const lease = await this.lease?.catch(() => undefined);
    lease?.settle(this.attempts);
  }
}
