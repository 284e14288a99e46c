import { AppError, type AppErrorOptions, type ErrorCode, InternalError } from '../../common/errors.js';
import type { AttemptRecord } from './index.js';
import type { ProviderError, ProviderErrorKind } from './index.js';

/**
 * A model call that produced no complete answer. Carries the records of all its attempts, because they cost
 * money nevertheless.
 */
export class ModelCallError extends AppError {
  constructor(
    code: ErrorCode,
    message: string,
    readonly attempts: readonly AttemptRecord[],
    options: AppErrorOptions = {},
  ) {
    super(code, message, options);
  }
}

/**
 * The response for each kind of provider error. `own` passes on the provider's own message, since the caller
 * can act on it.
 */
const ERROR_RESPONSES = {
  rejected: { code: 'provider_rejected', own: true },
  context_length_exceeded: { code: 'context_length_exceeded', own: true },
  content_policy_violation: { code: 'content_policy_violation', own: true },
  unauthorized: {
    code: 'provider_error',
    message:
      "The model provider rejected the server's credentials. The operator of this server must check the API key.",
  },
  model_not_found: { code: 'model_not_found', own: true },
  rate_limited: {
    code: 'provider_rate_limited',
    message: 'The model provider is rate limiting requests. Try again later.',
    retryable: false,
  },
  quota_exhausted: {
    code: 'provider_error',
    message:
      "The server's account with the model provider has no credit left or has reached its limit. The operator of this server must resolve this.",
    retryable: false,
  },
  timeout: { code: 'provider_timeout', own: true },
  timed_out: { code: 'provider_timeout', own: true },
  overloaded: {
    code: 'overloaded',
    message: 'Too many requests are waiting for the model provider. Try again in a moment.',
  },
  circuit_open: { code: 'provider_unavailable', own: true },
  unreachable: {
    code: 'provider_unavailable',
    message: 'The model provider cannot be reached. Try again later, or use another model.',
    retryAfterMs: 5000,
  },
  unavailable: {
    code: 'provider_unavailable',
    message:
      'The model provider cannot serve this model at the moment. Try again later, or use another model.',
    retryAfterMs: 5000,
  },
  broken_answer: {
    code: 'provider_error',
    message: "The model provider's answer broke off or could not be parsed. Try again.",
  },
  unreadable_answer: { code: 'provider_error', own: true },
} as const satisfies Record<
  ProviderErrorKind,
  { code: ErrorCode; retryable?: boolean; retryAfterMs?: number } & ({ own: true } | { message: string })
>;

/** Returns the error of a call whose last attempt failed with a provider error. */
export function toModelCallError(error: ProviderError, attempts: readonly AttemptRecord[]): ModelCallError {
  const response = ERROR_RESPONSES[error.kind];
  // The provider's own delay takes precedence over our default.
  const retryAfterMs = error.retryAfterMs ?? ('retryAfterMs' in response ? response.retryAfterMs : undefined);
  return new ModelCallError(
    response.code,
    'message' in response && !error.isSpecific ? response.message : error.message,
    attempts,
    {
      cause: error,
      ...(response.code === 'model_not_found' && { param: 'model' }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...('retryable' in response && { retryable: response.retryable }),
    },
  );
}

/**
 * Returns the error of a call whose request our own mapping refused: the same error, with the attempt records.
 */
export function toRefusedCallError(error: AppError, attempts: readonly AttemptRecord[]): AppError {
  if (attempts.length === 0) return error;
  const { code, message, param, details } = error;
  return new ModelCallError(code, message, attempts, {
    details,
    cause: error,
    ...(param !== null && { param }),
  });
}

/** Returns the error of a call that failed because of a bug in our own code. */
export function toCrashedCallError(cause: unknown, attempts: readonly AttemptRecord[]): ModelCallError {
  const { code, message } = new InternalError(cause);
  return new ModelCallError(code, message, attempts, { cause });
}

/** Returns the error of a call that its caller cancelled. */
export function toCancelledCallError(attempts: readonly AttemptRecord[]): ModelCallError {
  return new ModelCallError('request_cancelled', 'The request was cancelled.', attempts);
}
