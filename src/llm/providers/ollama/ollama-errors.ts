import { LineTooLongError } from '../../../common/line-reader.js';
import { ProviderError, toHostError, invalidResponseError } from '../../port/index.js';
import { toHeaders } from '../../transport/response-headers.js';
import { BrokenBodyError } from '../../transport/broken-body.js';

/** An error response. */
export interface OllamaFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body: `{"error": "…"}`, or the response of any proxy between us and the server. */
  readonly text: string;
}

/** Converts an error response of the server. */
export function toProviderErrorOfStatus({ status, headers, text }: OllamaFailure): ProviderError {
  return toHostError({ status, body: text, headers: toHeaders(headers) });
}

/** Converts an error in place of an answer, after a success status: the `error` of `{"error": "…"}`. */
export function toOllamaStreamError(error: unknown): ProviderError {
  return toHostError({ body: { error } });
}

/** Returns the error for a server that cannot be reached. */
export function toUnreachableError(cause: unknown): ProviderError {
  return new ProviderError('unreachable', 'The provider could not be reached.', { cause });
}

/**
 * Returns the error for an answer that began but could not be read to its end.
 * @throws the error itself if it is not the host's fault: a bug in our own code, or a refusal of the request
 */
export function toBrokenAnswerError(cause: unknown): ProviderError {
  if (cause instanceof ProviderError) return cause;
  if (cause instanceof BrokenBodyError) return new ProviderError('broken_answer', cause.message, { cause });
  if (cause instanceof LineTooLongError) return invalidResponseError('one of its lines is too large', cause);
  throw cause;
}
