import { AppError } from '../../common/errors.js';
import type { Deadlines } from './deadlines.js';
import { ProviderError } from '../port/index.js';

/** The outcome of an attempt. */
export type AttemptResult<Answer> =
  { readonly status: 'completed'; readonly answer: Answer } | AttemptFailure;

/** The outcome of an attempt without an answer. Only `failed` is the provider's fault. */
export type AttemptFailure =
  | { readonly status: 'failed'; readonly error: ProviderError }
  | { readonly status: 'cancelled' }
  /** Our own mapping refused the request: the provider was not called, and no other model can help. */
  | { readonly status: 'refused'; readonly error: AppError }
  /** Our own code threw an unexpected error. A retry would only fail again. */
  | { readonly status: 'crashed'; readonly cause: unknown };

/**
 * Classifies an error that an attempt threw. Providers throw `ProviderError` for all of their failures,
 * including broken connections. Any error that is neither a `ProviderError` nor one of our refusals is a bug in
 * our code.
 */
export function toAttemptFailure(
  error: unknown,
  caller: AbortSignal,
  { exceeded: passed }: Deadlines,
): AttemptFailure {
  if (caller.aborted) return { status: 'cancelled' };
  if (passed !== undefined) return { status: 'failed', error: passed };
  if (error instanceof ProviderError) return { status: 'failed', error };
  if (error instanceof AppError) return { status: 'refused', error };
  return { status: 'crashed', cause: error };
}
