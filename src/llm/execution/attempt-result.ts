import { AppError } from '../../common/errors.js';
import type { Deadlines } from './deadlines.js';
import { ProviderError } from '../port/index.js';

/** How an attempt ended. */
export type AttemptResult<Answer> =
  { readonly status: 'completed'; readonly answer: Answer } | AttemptFailure;

/** How an attempt without an answer ended. Only `failed` says something of the provider. */
export type AttemptFailure =
  | { readonly status: 'failed'; readonly error: ProviderError }
  | { readonly status: 'cancelled' }
  /** Our own mapping found the fault in the request: the provider was not asked, and no other model can help. */
  | { readonly status: 'refused'; readonly error: AppError }
  /** Our own code threw something that nobody foresaw. Another try would only run into it again. */
  | { readonly status: 'crashed'; readonly cause: unknown };

/**
 * Classifies what an attempt threw. Providers throw `ProviderError` for everything that is theirs, down to the bytes of
 * a connection that breaks; what is neither that nor a refusal of ours is a fault in our code.
 */
export function toAttemptFailure(error: unknown, caller: AbortSignal, { passed }: Deadlines): AttemptFailure {
  if (caller.aborted) return { status: 'cancelled' };
  if (passed !== undefined) return { status: 'failed', error: passed };
  if (error instanceof ProviderError) return { status: 'failed', error };
  if (error instanceof AppError) return { status: 'refused', error };
  return { status: 'crashed', cause: error };
}
