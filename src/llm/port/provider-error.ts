import { stripNul } from '../../common/stored-text.js';

/** The kind of a failed attempt. It decides about retries and about the error that the caller receives. */
export type ProviderErrorKind =
  /** The provider refuses the request itself; repeating it fails again. */
  | 'rejected'
  | 'context_length_exceeded'
  | 'content_policy_violation'
  /** Our credentials are wrong or lack a permission. */
  | 'unauthorized'
  | 'model_not_found'
  | 'rate_limited'
  /**
   * Our account with the provider has no credit left or has reached its limit; only its operator can change
   * that.
   */
  | 'quota_exhausted'
  /** The provider was silent for longer than we wait. */
  | 'timeout'
  /** The provider itself reports that it ran out of time. */
  | 'timed_out'
  /** No connection, or no answer on it: a fault of the host, not of the model. */
  | 'unreachable'
  /** The host answers that it cannot serve this model now: 503, 529, overloaded. */
  | 'unavailable'
  /** The answer broke off. A retry may return it completely. */
  | 'broken_answer'
  /**
   * A complete answer that cannot be parsed. The message gives the reason; the same model would send the same
   * answer again.
   */
  | 'unreadable_answer'
  /** Too many of our requests are already waiting for the provider. */
  | 'overloaded'
  /** The host or the model has failed too often recently and is not called for a while. */
  | 'circuit_open';

/** A failed attempt. Providers throw it; it is never sent to a caller as it is. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly kind: ProviderErrorKind;
  /** Delay that the provider asks for before the next attempt, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** True if the caller may read the message, although the kind has a general one. */
  readonly isSpecific: boolean;

  /** @param message the provider's own reason if it gave one, else ours */
  constructor(
    kind: ProviderErrorKind,
    message: string,
    options: { retryAfterMs?: number | undefined; isSpecific?: boolean; cause?: unknown } = {},
  ) {
    super(stripNul(message), { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.isSpecific = options.isSpecific ?? false;
  }
}
