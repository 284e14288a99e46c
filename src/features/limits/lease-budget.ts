import { Injectable } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { Metrics } from '../../infra/metrics/index.js';
import { type AttemptRecord, Budget, type BudgetLease, type BudgetRequest } from '../../llm/index.js';
import { UsageRepository } from '../usage/index.js';
import type { Reservation, LedgerUsage, ActualUsage, ExceededLimit } from './limit-store.js';
import { reservationRefusedError } from './limit-errors.js';
import { type Grant, FailoverLimitStore } from './failover-limit-store.js';
import { AccountLimits, type Limits } from './account-limits.js';
import { dayOf, monthOf } from './periods.js';
import { limitSubjects } from './limit-subjects.js';
import { TokenLevelCache } from './token-level-cache.js';

/**
 * Maximum attempts to reserve. The sum of the ledger may expire between being read and being used; more often is a
 * bug.
 */
const MAX_ASKED = 3;

/** The limits as the metrics name them. */
const LIMIT_LABELS = {
  tokens: 'tokens_per_minute',
  concurrency: 'concurrency',
  tokens_day: 'tokens_per_day',
  cost_month: 'cost_per_month',
} as const satisfies Record<ExceededLimit, string>;

/** Reserves tokens, cost and concurrent generations as leases. */
@Injectable()
export class LeaseBudget extends Budget {
  /** Sums that are being read, so that concurrent requests share one read. */
  private readonly reading = new Map<string, Promise<LedgerUsage>>();

  constructor(
    private readonly stores: FailoverLimitStore,
    private readonly limits: AccountLimits,
    private readonly usage: UsageRepository,
    private readonly levels: TokenLevelCache,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
  ) {
    super();
  }

  override async reserve(request: BudgetRequest): Promise<BudgetLease> {
    const limits = await this.limits.get(request.userId);
    const wanted = toReservation(request, limits, this.clock.now());
    let spent: LedgerUsage | undefined;
    for (let asked = 0; asked < MAX_ASKED; asked += 1) {
      const reservation = { ...wanted, leaseId: newId() };
      const { reserved, grant } = await this.stores.reserve(reservation, spent);
      if (reserved.type === 'granted') {
        this.levels.record(request.userId, reserved.backlogMs);
        return this.lease(grant);
      }
      if (reserved.type === 'refused') {
        this.levels.record(request.userId, reserved.backlogMs);
        this.metrics.limitRejections.inc({ limit: LIMIT_LABELS[reserved.by] });
        throw reservationRefusedError(reserved, reservation, limits, this.clock.now());
      }
      spent = await this.spentBy(request.userId);
    }
    throw new Error('The limits of the account are missing.');
  }

  private lease(grant: Grant): BudgetLease {
    return {
      settle: (attempts) => {
        this.stores.settle(grant, usedBy(attempts));
      },
    };
  }

  private spentBy(userId: string): Promise<LedgerUsage> {
    const known = this.reading.get(userId);
    if (known !== undefined) return known;
    const now = this.clock.now();
    const reading = this.usage
      .quotaUsageSince(userId, { day: dayOf(now), month: monthOf(now) })
      .finally(() => this.reading.delete(userId));
    this.reading.set(userId, reading);
    return reading;
  }
}

/** @throws AppError `price_unknown` if a quota is in dollars and the cost is unknown */
function toReservation(request: BudgetRequest, limits: Limits, now: number): Omit<Reservation, 'leaseId'> {
  const { charged, concurrencySlots: generations, userId } = request;
  const costMonth = charged ? limits.costMonthMicroUsd : undefined;
  return {
    userId,
    subjects: limitSubjects(request),
    tokens: charged ? request.tokens : 0,
    tokensPerMinute: limits.tokensPerMinute,
    cost: costMonth === undefined ? 0 : costOf(request),
    generations,
    concurrency: limits.concurrency,
    tokensDay: charged ? limits.tokensDay : undefined,
    costMonth,
    day: dayOf(now),
  };
}

function costOf({ cost }: BudgetRequest): number {
  const known = cost();
  if ('microUsd' in known) return Number(known.microUsd);
  throw new AppError(
    'price_unknown',
    `The account has a quota in US dollars, and the price of '${known.unpriced}' is unknown. Use another model, or have the operator set its price in MODEL_PRICES.`,
    { param: 'model' },
  );
}

/** Returns the usage of a call: all of its attempts except those paid by the user's own keys. */
function usedBy(attempts: readonly AttemptRecord[]): ActualUsage {
  const counted = attempts.filter(({ ownKey }) => ownKey !== true);
  return {
    tokens: counted.reduce((sum, { usage }) => sum + usage.inputTokens + usage.outputTokens, 0),
    cost: Number(counted.reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0n), 0n)),
  };
}
