import type { MicroUsd } from '../../common/money.js';
import type { AttemptRecord } from './call.js';

/** Upper bounds on what a call may use, estimated before it is made. */
export interface BudgetRequest {
  readonly userId: string;
  /** The API key that the request came with. */
  readonly apiKeyId?: string | null;
  /** Estimated tokens of the request and the longest possible answer. */
  readonly tokens: number;
  /**
   * Returns the cost of those tokens on the most expensive model that may be called, or the name of a model
   * without a known price.
   */
  readonly cost: () => { readonly microUsd: MicroUsd } | { readonly unpriced: string };
  /** 1 if an answer is generated, 0 for a short request that generates none. */
  readonly concurrencySlots: number;
  /** False if the user's own keys pay for every model that may be called. */
  readonly charged: boolean;
}

/** A reservation: one concurrency slot and an estimated budget. */
export interface BudgetLease {
  /**
   * Releases the slot and replaces the estimate by the actual usage. Call it once, whatever the outcome of the
   * call. Never fails.
   */
  settle(attempts: readonly AttemptRecord[]): void;
}

/**
 * Decides whether an account may make one more call. Checked before every call that reaches a model, and never
 * for an answer from the cache. A feature implements it and the composition root binds it.
 */
export abstract class Budget {
  /**
   * @throws AppError `rate_limit_exceeded`, `quota_exceeded` or `price_unknown`; nothing is reserved in that
   * case
   */
  abstract reserve(request: BudgetRequest): Promise<BudgetLease>;
}
