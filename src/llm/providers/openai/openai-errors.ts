import { APIConnectionError, APIError } from 'openai';
import {
  fieldOf,
  kindOfStatus,
  ProviderError,
  type ProviderErrorKind,
  retryAfterMs,
  shorten,
  textField,
} from '../../port/index.js';
import { asErrorStatus, toHeaders } from '../../transport/head.js';
import { NoAnswerError, type WholeResponse } from '../../transport/post.js';

/** What an OpenAI-compatible host answered, or how reaching it failed, as one of our kinds. */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof NoAnswerError || error instanceof APIConnectionError) {
    return new ProviderError('unreachable', 'The provider could not be reached.', { cause: error });
  }
  if (isStatusError(error)) return toStatusError(error);
  return new ProviderError('broken_answer', 'The connection to the provider broke off.', { cause: error });
}

/** An answer that is no success. It takes the way of the SDK's own error, so that both say the same. */
export function toProviderErrorOfAnswer({ status, headers, text }: WholeResponse): ProviderError {
  const error = APIError.generate(asErrorStatus(status), bodyOf(text), text, toHeaders(headers));
  return toProviderError(error);
}

/** Most hosts put their error under `error`, some make it the whole body. */
function bodyOf(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return (fieldOf(value, 'error') ?? null) === null ? { error: value } : value;
  } catch {
    return undefined;
  }
}

/** What we read of the SDK's error, whose own class leaves the types of its parts open. */
interface StatusError {
  readonly status: number | undefined;
  readonly code: string | null | undefined;
  readonly headers: Headers | undefined;
  readonly error: unknown;
}

function isStatusError(error: unknown): error is StatusError {
  return error instanceof APIError;
}

function toStatusError(error: StatusError): ProviderError {
  if (error.status === undefined) {
    return new ProviderError('broken_answer', 'The provider broke its answer off.', { cause: error });
  }
  return new ProviderError(
    kindOfCode(error.code ?? undefined) ?? kindOfStatus(error.status),
    reasonOf(error),
    {
      retryAfterMs: retryAfterMs(error.headers),
      cause: error,
    },
  );
}

/** An error that stands in the stream itself, as `{"error": …}`, after the status was sent. */
export function toProviderErrorInStream(payload: unknown): ProviderError {
  const code = textField(payload, 'code');
  const message = textField(payload, 'message') ?? 'The provider broke the answer off with an error.';
  const known = kindOfCode(code);
  return new ProviderError(known ?? 'broken_answer', shorten(message));
}

function kindOfCode(code: string | undefined): ProviderErrorKind | undefined {
  switch (code) {
    case 'context_length_exceeded':
      return 'context_length_exceeded';
    case 'content_policy_violation':
    case 'content_filter':
      return 'content_policy_violation';
    case 'rate_limit_exceeded':
      return 'rate_limited';
    case 'insufficient_quota':
    case 'billing_hard_limit_reached':
    case 'billing_not_active':
      return 'quota_exhausted';
    default:
      return undefined;
  }
}

/** The host's own sentence. The SDK puts the status in front of it, which says nothing to our caller. */
function reasonOf(error: StatusError): string {
  return shorten(
    textField(error.error, 'message') ?? `The provider answered with status ${String(error.status)}.`,
  );
}
