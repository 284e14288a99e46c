import { LineTooLongError } from '../../../common/line-reader.js';
import { ProviderError, toHostError, unreadableAnswer } from '../../port/index.js';
import { toHeaders } from '../../transport/head.js';
import { BrokenBodyError } from '../../transport/broken-body.js';

/** An answer that is no success. */
export interface OllamaFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body: `{"error": "…"}`, or whatever stands between us and the server made of it. */
  readonly text: string;
}

/** Returns what the server answered instead of an answer. */
export function toProviderErrorOfStatus({ status, headers, text }: OllamaFailure): ProviderError {
  return toHostError({ status, body: text, headers: toHeaders(headers) });
}

/** Returns an error that stands where an answer was to come, after a good status: the `error` of `{"error": "…"}`. */
export function toProviderErrorInStream(error: unknown): ProviderError {
  return toHostError({ body: { error } });
}

/** Returns why there was no answer at all. */
export function asUnreachable(cause: unknown): ProviderError {
  return new ProviderError('unreachable', 'The provider could not be reached.', { cause });
}

/**
 * Returns why an answer that had begun could not be read to its end.
 * @throws the error itself where it is none of the host's: a fault of our own code, or a refusal of the request
 */
export function asBrokenAnswer(cause: unknown): ProviderError {
  if (cause instanceof ProviderError) return cause;
  if (cause instanceof BrokenBodyError) return new ProviderError('broken_answer', cause.message, { cause });
  if (cause instanceof LineTooLongError) return unreadableAnswer('one of its lines is too large', cause);
  throw cause;
}
