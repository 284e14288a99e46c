import type { AttemptRecord, BudgetLease } from '../port/index.js';

/**
 * One lease for all calls of a request. The budget is asked when the first of them needs it, so never where all are
 * answered from the cache.
 */
export class SharedLease {
  private lease: Promise<BudgetLease> | undefined;
  private readonly attempts: AttemptRecord[] = [];

  /** @param reserve asks the budget for all calls together */
  constructor(private readonly reserve: () => Promise<BudgetLease>) {}

  /**
   * Waits for the lease. What is returned collects the attempts of one call.
   * @throws AppError if the budget refuses the request, to every call that asks
   */
  async join(): Promise<BudgetLease> {
    // Nothing is awaited between the look and the assignment: calls at the same time share one reservation.
    this.lease ??= this.reserve();
    await this.lease;
    return {
      settle: (attempts) => {
        this.attempts.push(...attempts);
      },
    };
  }

  /** Settles the lease, if there is one, with the attempts of all calls. Called once, after all of them have ended. */
  async settle(): Promise<void> {
    const lease = await this.lease?.catch(() => undefined);
    lease?.settle(this.attempts);
  }
}
