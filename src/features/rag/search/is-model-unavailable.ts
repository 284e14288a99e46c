import { AppError, type ErrorCode } from '../../../common/errors.js';

/** Failures of a model that a search can do without. Refusals by the account's own limits are not among them. */
const UNAVAILABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'model_not_found',
  'overloaded',
  'provider_error',
  'provider_rate_limited',
  'provider_rejected',
  'provider_timeout',
  'provider_unavailable',
]);

/** Returns true if an error says that a model is unavailable, so that a search goes on without it. */
export function isModelUnavailable(error: unknown): error is AppError {
  return error instanceof AppError && UNAVAILABLE.has(error.code);
}
