import type { MicroUsd } from '../../common/money.js';
import type { AttemptRecord } from './call.js';

/** What a call may use, as far as is known before it is made. */
export interface BudgetRequest {
  readonly userId: string;
  /** The API key that it came with. */
  readonly apiKeyId?: string | null;
  /** Of the request and the longest answer, by estimate. */
  readonly tokens: number;
  /** What that costs with the dearest model that may be asked, or the name of one whose price nobody knows. */
  readonly cost: () => { readonly microUsd: MicroUsd } | { readonly unpriced: string };
  /** 1 where an answer is generated, 0 where something is only looked at and over in a moment. */
  readonly generations: number;
  /** False where the user's own keys pay for every model that may be asked. */
  readonly charged: boolean;
}

/** A place that a call holds, and what it may use. */
export interface BudgetLease {
  /** To be called once, whatever became of the call: gives the place back and corrects the estimate. Never fails. */
  settle(attempts: readonly AttemptRecord[]): void;
}

/**
 * Decides whether an account may make one more call. Asked before every call that reaches a model, and never for an
 * answer out of the cache. A feature implements it and the composition root binds it.
 */
export abstract class Budget {
  /** @throws AppError `rate_limit_exceeded`, `quota_exceeded`, `price_unknown`: nothing is taken then */
  abstract reserve(request: BudgetRequest): Promise<BudgetLease>;
}
