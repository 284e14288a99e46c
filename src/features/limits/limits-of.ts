import type { LimitConfig } from '../../config/index.js';

/** Limits of one account. */
export type Limits = Omit<LimitConfig, 'addressRequestsPerMinute'>;

/**
 * Returns the limits of an account. Called for every request, so it must usually answer from memory. The composition
 * root binds it.
 */
export abstract class LimitsOf {
  abstract of(userId: string): Limits | Promise<Limits>;
}
