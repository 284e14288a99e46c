import type { ProviderError, ProviderErrorKind } from '../port/index.js';

/** What is done after an attempt that failed before there was any output. */
export type Decision =
  /** The same model again, after a wait. */
  | 'retry'
  /** The next model of the chain. */
  | 'next'
  /** Nothing: the request itself is wrong. */
  | 'give_up';

/** The rule for each kind of failure. `retry` becomes `next` when the retries are used up. */
const RULES = {
  rejected: 'give_up',
  content_policy_violation: 'give_up',
  context_length_exceeded: 'next',
  unauthorized: 'next',
  model_not_found: 'next',
  rate_limited: 'retry',
  quota_exhausted: 'next',
  // Silence is expensive: a provider that did not begin in time is not waited for a second time.
  timeout: 'next',
  timed_out: 'retry',
  unreachable: 'retry',
  unavailable: 'retry',
  broken_answer: 'retry',
  // Paid for and of no use: asking the same model again would buy the same.
  unreadable_answer: 'next',
  overloaded: 'next',
  circuit_open: 'next',
} as const satisfies Record<ProviderErrorKind, Decision>;

/** Longest `Retry-After` that is waited for within a request, in milliseconds; beyond it the next model is asked. */
const MAX_RETRY_AFTER_MS = 10_000;

/** What to do after a failure. */
export function nextAction(error: ProviderError, triesLeft: number): Decision {
  const rule = RULES[error.kind];
  if (rule !== 'retry') return rule;
  const tooLong = (error.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS;
  return triesLeft > 0 && !tooLong ? 'retry' : 'next';
}
