import { APIConnectionError, APIError } from '@anthropic-ai/sdk';
import { EventStreamError } from '../../../common/event-stream.js';
import { ProviderError, toHostError, unreadableAnswer } from '../../port/index.js';
import { BrokenBodyError } from '../../transport/broken-body.js';

/**
 * Returns what Anthropic answered, or how reaching it failed, as one of our kinds.
 * Format: `{"type":"error","error":{"type","message","details"},"request_id"}` with a status.
 * https://platform.claude.com/docs/en/api/errors
 * @throws the error itself where it is none of the host's: a fault of our own code, or a refusal of the request
 */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof APIConnectionError) {
    // What the SDK takes for a failed connection may be an answer that could not be unpacked.
    if (error.cause instanceof ProviderError) return error.cause;
    return new ProviderError('unreachable', 'The provider could not be reached.', { cause: error });
  }
  if (isStatusError(error)) return toStatusError(error);
  if (error instanceof EventStreamError) return unreadableAnswer('one of its events is too large', error);
  if (error instanceof BrokenBodyError)
    return new ProviderError('broken_answer', error.message, { cause: error });
  throw error;
}

/** Returns an error that stands in the stream itself, as the event `error`, after the status was sent. */
export function toProviderErrorInStream(event: unknown): ProviderError {
  return toHostError({ body: event });
}

/** What we read of the SDK's error, whose own class leaves the types of its parts open. */
interface StatusError {
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  /** The body, where it was JSON. */
  readonly error: unknown;
  /** The status and the body, where that was none. */
  readonly message: string;
}

function isStatusError(error: unknown): error is StatusError {
  return error instanceof APIError;
}

function toStatusError(error: StatusError): ProviderError {
  const { status, headers, message } = error;
  if (status === undefined) {
    return new ProviderError('broken_answer', "The provider's answer broke off.", { cause: error });
  }
  const text = message.replace(/^\d{3} (?:status code \(no body\)$)?/, '');
  return toHostError({ status, body: error.error ?? text, headers, cause: error });
}
