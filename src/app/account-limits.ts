import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { AppConfig } from '../config/index.js';
import { type Limits, LimitsOf } from '../features/limits/index.js';
import { AccountQuotas } from '../features/users/index.js';

/** Time for which an account's quotas are cached, in milliseconds; changes by an admin apply within this time. */
const TTL_MS = 5_000;

/** Maximum number of cached accounts. */
const CAPACITY = 10_000;

/** Limits of an account: those of the configuration, except for quotas that an admin has set for it. */
@Injectable()
export class AccountLimits extends LimitsOf {
  private readonly known = new LRUCache<string, Promise<Limits>>({ max: CAPACITY, ttl: TTL_MS });

  constructor(
    private readonly config: AppConfig,
    private readonly quotas: AccountQuotas,
  ) {
    super();
  }

  override of(userId: string): Promise<Limits> {
    const known = this.known.get(userId);
    if (known !== undefined) return known;
    const limits = this.read(userId);
    this.known.set(userId, limits);
    // Failures are not cached; the caller gets the error.
    limits.catch(() => this.known.delete(userId));
    return limits;
  }

  private async read(userId: string): Promise<Limits> {
    const { limits } = this.config;
    const quota = await this.quotas.of(userId);
    const { quotaTokensDay = null, quotaCostMonthMicroUsd = null } = quota ?? {};
    return {
      ...limits,
      tokensDay: quotaTokensDay === null ? limits.tokensDay : Number(quotaTokensDay),
      costMonthMicroUsd:
        quotaCostMonthMicroUsd === null ? limits.costMonthMicroUsd : Number(quotaCostMonthMicroUsd),
    };
  }
}
