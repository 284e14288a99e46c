import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { LRUCache } from 'lru-cache';
import { type LimitConfig, limitsConfig } from '../../config/index.js';
import { AccountQuotas } from '../users/index.js';

/** Limits of one account. */
export type Limits = Omit<LimitConfig, 'addressRequestsPerMinute'>;

/** Time for which an account's quotas are cached, in milliseconds; changes by an admin apply within this time. */
const TTL_MS = 5_000;

/** Precision of that time, in milliseconds: how often the cache reads the clock. */
const TTL_RESOLUTION_MS = 100;

/** Maximum number of cached accounts. */
const CAPACITY = 10_000;

/** Limits of an account: those of the configuration, except for quotas that an admin has set for it. */
@Injectable()
export class AccountLimits {
  /** A failed read is not cached; all callers that wait for it get its error. */
  private readonly known = new LRUCache<string, Limits>({
    max: CAPACITY,
    ttl: TTL_MS - TTL_RESOLUTION_MS,
    // By default the cache starts a timer in each millisecond in which it is read.
    ttlResolution: TTL_RESOLUTION_MS,
    // Callers that wait for an account which is evicted meanwhile still need its limits.
    ignoreFetchAbort: true,
    fetchMethod: (userId) => this.read(userId),
  });

  constructor(
    @Inject(limitsConfig.KEY) private readonly limits: ConfigType<typeof limitsConfig>,
    private readonly quotas: AccountQuotas,
  ) {}

  /** Returns the limits of an account. Called for every request, so it usually answers from memory. */
  get(userId: string): Limits | Promise<Limits> {
    return this.known.get(userId) ?? this.known.forceFetch(userId);
  }

  private async read(userId: string): Promise<Limits> {
    const { limits } = this;
    const quota = await this.quotas.findQuota(userId);
    const { quotaTokensDay = null, quotaCostMonthMicroUsd = null } = quota ?? {};
    return {
      ...limits,
      tokensDay: quotaTokensDay === null ? limits.tokensDay : Number(quotaTokensDay),
      costMonthMicroUsd:
        quotaCostMonthMicroUsd === null ? limits.costMonthMicroUsd : Number(quotaCostMonthMicroUsd),
    };
  }
}
