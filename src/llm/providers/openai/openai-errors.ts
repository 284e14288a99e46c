import { APIConnectionError, APIError } from 'openai';
import { ProviderError, type ProviderErrorKind } from '../../port/index.js';

/** Longest reason of a provider that we pass on, in characters. */
const MAX_REASON_LENGTH = 500;

/** What an OpenAI-compatible host answered, or how reaching it failed, as one of our kinds. */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof APIConnectionError) {
    return new ProviderError('unavailable', 'The provider could not be reached.', { cause: error });
  }
  if (isStatusError(error)) return toStatusError(error);
  return new ProviderError('broken_answer', 'The connection to the provider broke off.', { cause: error });
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
  return new ProviderError(kindOf(error.status, error.code), reasonOf(error), {
    retryAfterMs: retryAfterMs(error.headers),
    cause: error,
  });
}

/** An error that stands in the stream itself, as `{"error": …}`, after the status was sent. */
export function toProviderErrorInStream(payload: unknown): ProviderError {
  const code = textField(payload, 'code');
  const message = textField(payload, 'message') ?? 'The provider broke the answer off with an error.';
  const known = kindOfCode(code);
  return new ProviderError(known ?? 'broken_answer', shorten(message));
}

function kindOf(status: number, code: string | null | undefined): ProviderErrorKind {
  const known = kindOfCode(code ?? undefined);
  if (known !== undefined) return known;
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'model_not_found';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 429) return 'rate_limited';
  if (status === 400 || status === 413 || status === 422) return 'rejected';
  return status === 503 || status === 529 ? 'unavailable' : 'broken_answer';
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

function shorten(text: string): string {
  return text.length <= MAX_REASON_LENGTH ? text : `${text.slice(0, MAX_REASON_LENGTH)}…`;
}

function textField(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const field: unknown = Reflect.get(value, name);
  return typeof field === 'string' ? field : undefined;
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110, section 10.2.3). */
function retryAfterMs(headers: Headers | undefined): number | undefined {
  const exact = Number(headers?.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const value = headers?.get('retry-after');
  if (value === null || value === undefined) return undefined;
  const ms = Number.isFinite(Number(value)) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
