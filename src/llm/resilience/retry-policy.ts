import type { ProviderError, ProviderErrorKind } from '../port/index.js';

/** The action after an attempt that failed before any output. */
export type RetryAction =
  /** Retry the same model, after a wait. */
  | 'retry'
  /** Call the next model of the chain. */
  | 'next'
  /** Give up: the request itself is wrong. */
  | 'give_up';

/** The action for each kind of failure. `retry` becomes `next` when no retries are left. */
const RULES = {
  rejected: 'give_up',
  content_policy_violation: 'give_up',
  context_length_exceeded: 'next',
  unauthorized: 'next',
  model_not_found: 'next',
  rate_limited: 'retry',
  quota_exhausted: 'next',
  // Silence is expensive: do not wait again for a provider that did not begin in time.
  timeout: 'next',
  timed_out: 'retry',
  unreachable: 'retry',
  unavailable: 'retry',
  broken_answer: 'retry',
  // Paid for and useless: the same model would produce the same again.
  unreadable_answer: 'next',
  overloaded: 'next',
  circuit_open: 'next',
} as const satisfies Record<ProviderErrorKind, RetryAction>;

/** Maximum `Retry-After` to wait for within a request, in milliseconds; above it the next model is called. */
const MAX_RETRY_AFTER_MS = 10_000;

/** Returns the action to take after a failure. */
export function nextAction(error: ProviderError, retriesLeft: number): RetryAction {
  const rule = RULES[error.kind];
  if (rule !== 'retry') return rule;
  const tooLong = (error.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS;
  return retriesLeft > 0 && !tooLong ? 'retry' : 'next';
}
