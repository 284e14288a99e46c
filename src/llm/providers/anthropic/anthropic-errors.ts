import { APIConnectionError, APIError } from '@anthropic-ai/sdk';
import { EventStreamError } from '../../../common/event-stream.js';
import { ProviderError, toHostError, invalidResponseError } from '../../port/index.js';
import { BrokenBodyError } from '../../transport/broken-body.js';

/**
 * Converts Anthropic's error response, or a failure to reach it, to one of our kinds.
 * Format: `{"type":"error","error":{"type","message","details"},"request_id"}` with a status.
 * https://platform.claude.com/docs/en/api/errors
 * @throws the error itself if it is not the host's fault: a bug in our own code, or a refusal of the request
 */
export function toAnthropicError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof APIConnectionError) {
    // The SDK also reports a response that could not be decompressed as a failed connection.
    if (error.cause instanceof ProviderError) return error.cause;
    return new ProviderError('unreachable', 'The provider could not be reached.', { cause: error });
  }
  if (isStatusError(error)) return toStatusError(error);
  if (error instanceof EventStreamError) return invalidResponseError('one of its events is too large', error);
  if (error instanceof BrokenBodyError)
    return new ProviderError('broken_answer', error.message, { cause: error });
  throw error;
}

/** Converts an error inside the stream, the event `error`, which comes after the status was sent. */
export function toAnthropicStreamError(event: unknown): ProviderError {
  return toHostError({ body: event });
}

/** The fields that we read of the SDK's error, whose own class does not declare their types. */
interface StatusError {
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  /** The body, if it was JSON. */
  readonly error: unknown;
  /** The status and the body, if that was not JSON. */
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
