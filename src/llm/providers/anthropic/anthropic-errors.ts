import { APIConnectionError, APIError } from '@anthropic-ai/sdk';
import {
  fieldOf,
  kindOfStatus,
  ProviderError,
  type ProviderErrorKind,
  retryAfterMs,
  shorten,
  textField,
} from '../../port/index.js';

/**
 * What Anthropic answered, or how reaching it failed, as one of our kinds.
 * Wire: `{"type":"error","error":{"type","message","details"},"request_id"}` with a status.
 * https://platform.claude.com/docs/en/api/errors
 */
export function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof APIConnectionError) {
    return new ProviderError('unreachable', 'The provider could not be reached.', { cause: error });
  }
  if (isStatusError(error)) return toStatusError(error);
  return new ProviderError('broken_answer', 'The connection to the provider broke off.', { cause: error });
}

/** An error that stands in the stream itself, as the event `error`, after the status was sent. */
export function toProviderErrorInStream(event: unknown): ProviderError {
  const payload = fieldOf(event, 'error');
  const message = textField(payload, 'message') ?? 'The provider broke the answer off with an error.';
  return new ProviderError(kindOfPayload(payload) ?? 'broken_answer', shorten(message));
}

/** What we read of the SDK's error, whose own class leaves the types of its parts open. */
interface StatusError {
  readonly status: number | undefined;
  readonly headers: Headers | undefined;
  /** The body, where it was JSON. */
  readonly error: unknown;
}

function isStatusError(error: unknown): error is StatusError {
  return error instanceof APIError;
}

function toStatusError(error: StatusError): ProviderError {
  const { status } = error;
  if (status === undefined) {
    return new ProviderError('broken_answer', 'The provider broke its answer off.', { cause: error });
  }
  const payload = fieldOf(error.error, 'error');
  const reason = textField(payload, 'message') ?? `The provider answered with status ${status}.`;
  return new ProviderError(kindOfPayload(payload) ?? kindOfStatus(status), shorten(reason), {
    retryAfterMs: retryAfterMs(error.headers),
    cause: error,
  });
}

/** The kinds of the types that say more than the status. */
const KIND_OF_TYPE: ReadonlyMap<string, ProviderErrorKind> = new Map([
  ['authentication_error', 'unauthorized'],
  ['permission_error', 'unauthorized'],
  ['billing_error', 'quota_exhausted'],
  ['not_found_error', 'model_not_found'],
  ['invalid_request_error', 'rejected'],
  ['request_too_large', 'rejected'],
  ['rate_limit_error', 'rate_limited'],
  ['timeout_error', 'timed_out'],
  ['overloaded_error', 'unavailable'],
]);

/**
 * What only the sentence of an `invalid_request_error` says. Our own unpaid bill and our own spending limit are told
 * as one too, and are no fault of the caller's.
 */
const SAID: readonly (readonly [RegExp, ProviderErrorKind])[] = [
  [
    /prompt is too long|exceeds? (the )?(model's )?(maximum )?context (limit|length|window)|maximum context length/i,
    'context_length_exceeded',
  ],
  [/content filtering policy/i, 'content_policy_violation'],
  [/credit balance is too low|(usage|spend(ing)?) limits?/i, 'quota_exhausted'],
];

function kindOfPayload(payload: unknown): ProviderErrorKind | undefined {
  const type = textField(payload, 'type');
  const message = textField(payload, 'message') ?? '';
  if (type === 'invalid_request_error' || type === 'api_error') {
    const said = SAID.find(([pattern]) => pattern.test(message))?.[1];
    if (said !== undefined) return said;
  }
  return type === undefined ? undefined : KIND_OF_TYPE.get(type);
}
