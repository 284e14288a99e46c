import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { normalizeAddress } from '../../common/address.js';
import type { AccountAccess } from '../../common/caller.js';
import { limitsConfig } from '../../config/index.js';
import { Metrics } from '../../infra/metrics/index.js';
import { type RequestAdmission, type RateLimitState, RequestLimiter } from '../../http/index.js';
import { remainingUnits, waitUntilFitsMs } from './gcra.js';
import { requestLimitError } from './limit-errors.js';
import { type Bucket, tokensKey } from './limit-store.js';
import { FailoverLimitStore } from './failover-limit-store.js';
import { AccountLimits } from './account-limits.js';
import { limitSubjects } from './limit-subjects.js';
import { TokenLevelCache } from './token-level-cache.js';

/** A bucket, and the limit that it belongs to as the metrics name it. */
interface CountedBucket extends Bucket {
  readonly kind: 'address_requests' | 'requests' | 'model_requests';
}

/** Counts requests: by caller, or by address if they have no valid credentials. */
@Injectable()
export class StoreRequestLimiter extends RequestLimiter {
  private readonly addressLimit: number;

  constructor(
    private readonly stores: FailoverLimitStore,
    private readonly limits: AccountLimits,
    private readonly levels: TokenLevelCache,
    private readonly metrics: Metrics,
    @Inject(limitsConfig.KEY) { addressRequestsPerMinute }: ConfigType<typeof limitsConfig>,
  ) {
    super();
    this.addressLimit = addressRequestsPerMinute;
  }

  override async admit(caller: AccountAccess, model: boolean): Promise<RequestAdmission> {
    const { userId } = caller;
    const limits = await this.limits.get(userId);
    const subjects = limitSubjects(caller);
    const buckets: CountedBucket[] = [];
    for (const subject of subjects) {
      const key = `{${userId}}:requests:${subject}`;
      buckets.push({ key, limit: limits.requestsPerMinute, cost: 1, kind: 'requests' });
      if (!model) continue;
      buckets.push({
        key: `${key}:model`,
        limit: limits.modelRequestsPerMinute,
        cost: 1,
        kind: 'model_requests',
      });
    }
    if (!model) return this.take(buckets);
    // Reads the token bucket without taking: the number of tokens is known only when the model is called.
    const [user = ''] = subjects;
    const tokens = { key: tokensKey(userId, user), limit: limits.tokensPerMinute, cost: 0 };
    const { backlogMs, ...admission } = await this.take(buckets, tokens);
    this.levels.record(userId, backlogMs);
    return {
      ...admission,
      tokens: () => stateOf(this.levels.backlogOf(userId), limits.tokensPerMinute),
    };
  }

  override admitAddress(address: string): Promise<RequestAdmission> {
    const key = `{${normalizeAddress(address)}}:requests`;
    return this.take([{ key, limit: this.addressLimit, cost: 1, kind: 'address_requests' }]);
  }

  private async take(
    buckets: readonly CountedBucket[],
    looked?: Bucket,
  ): Promise<RequestAdmission & { readonly backlogMs: number }> {
    const { allowed, backlogsMs } = await this.stores.take(looked ? [...buckets, looked] : buckets);
    let requests: RateLimitState | undefined;
    let longest = 0;
    let exceeded: CountedBucket | undefined;
    for (const [index, bucket] of buckets.entries()) {
      const { limit, cost } = bucket;
      const backlog = backlogsMs[index] ?? 0;
      const state = stateOf(backlog, limit);
      if (requests === undefined || state.remaining < requests.remaining) requests = state;
      const wait = allowed ? 0 : waitUntilFitsMs(backlog, limit, cost);
      if (wait > longest) {
        longest = wait;
        exceeded = bucket;
      }
    }
    if (exceeded !== undefined) this.metrics.limitRejections.inc({ limit: exceeded.kind });
    return {
      refusal: allowed ? undefined : requestLimitError(exceeded?.limit ?? 0, longest),
      requests,
      backlogMs: backlogsMs[buckets.length] ?? 0,
    };
  }
}

function stateOf(backlogMs: number, limit: number): RateLimitState {
  return { limit, remaining: remainingUnits(backlogMs, limit), resetMs: backlogMs };
}
