import type { LimitConfig } from '../../config/index.js';

/** What one account may use. */
export type Limits = Omit<LimitConfig, 'addressRequestsPerMinute'>;

/**
 * Knows what an account may use. Asked with every request, so it must answer from memory most of the time. The
 * composition root binds it.
 */
export abstract class LimitsOf {
  abstract of(userId: string): Limits | Promise<Limits>;
}
