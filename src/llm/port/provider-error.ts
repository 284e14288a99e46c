import { stripNul } from '../../common/stored-text.js';

/** How an attempt failed, in terms that decide what is done next and what the caller is told. */
export type ProviderErrorKind =
  /** The provider refuses the request itself; another try with the same request fails as well. */
  | 'rejected'
  | 'context_length_exceeded'
  | 'content_policy_violation'
  /** Our credentials are wrong or not allowed to do this. */
  | 'unauthorized'
  | 'model_not_found'
  | 'rate_limited'
  /** Our account with the provider is out of money, or at its limit of it: only its operator can change that. */
  | 'quota_exhausted'
  /** It was silent for longer than we wait. */
  | 'timeout'
  /** It says itself that it ran out of time. */
  | 'timed_out'
  /** No connection, or no answer on it: says something of the host, and nothing of the model. */
  | 'unreachable'
  /** The host answers that it cannot serve this model now: 503, 529, overloaded. */
  | 'unavailable'
  /** The answer broke off. Another try may bring all of it. */
  | 'broken_answer'
  /** A complete answer that cannot be parsed. The message says why; the same model would answer the same again. */
  | 'unreadable_answer'
  /** Too many requests of ours wait for it already. */
  | 'overloaded'
  /** The host or the model has failed too often of late and is not asked for a moment. */
  | 'circuit_open';

/** An attempt that failed. Thrown by providers, never shown to a caller as it is. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly kind: ProviderErrorKind;
  /** When the provider wants to be asked again, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  /** @param message the provider's own reason where it gave one, else ours */
  constructor(
    kind: ProviderErrorKind,
    message: string,
    options: { retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(stripNul(message), { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}
