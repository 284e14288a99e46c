import type { Request } from 'express';
import type { AppError, ErrorCode } from '../../common/errors.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { type ErrorFormat, isAnthropicRequest } from '../../http/index.js';

/** The values of `type` that Anthropic's clients know. https://platform.claude.com/docs/en/api/errors */
type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'request_too_large'
  | 'rate_limit_error'
  | 'overloaded_error'
  | 'timeout_error'
  | 'api_error';

/**
 * Anthropic's error type for each of our codes; the HTTP status is the same as in every other API format. A
 * missing code is a compile error.
 */
export const ERROR_TYPES = {
  invalid_request: 'invalid_request_error',
  provider_rejected: 'invalid_request_error',
  context_length_exceeded: 'invalid_request_error',
  content_policy_violation: 'invalid_request_error',
  price_unknown: 'invalid_request_error',
  unauthorized: 'authentication_error',
  invalid_credentials: 'authentication_error',
  invalid_refresh_token: 'authentication_error',
  invalid_api_key: 'authentication_error',
  forbidden: 'permission_error',
  insufficient_scope: 'permission_error',
  account_disabled: 'permission_error',
  registration_closed: 'permission_error',
  not_found: 'not_found_error',
  model_not_found: 'not_found_error',
  email_taken: 'invalid_request_error',
  name_taken: 'invalid_request_error',
  limit_reached: 'invalid_request_error',
  batch_limit_exceeded: 'rate_limit_error',
  reindex_required: 'invalid_request_error',
  last_admin: 'invalid_request_error',
  conversation_busy: 'invalid_request_error',
  idempotency_key_reused: 'invalid_request_error',
  duplicate_document: 'invalid_request_error',
  not_ready: 'invalid_request_error',
  payload_too_large: 'request_too_large',
  storage_quota_exceeded: 'invalid_request_error',
  range_not_satisfiable: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  request_timeout: 'timeout_error',
  headers_too_large: 'request_too_large',
  output_parse_error: 'api_error',
  encrypted: 'invalid_request_error',
  no_text_layer: 'invalid_request_error',
  damaged: 'invalid_request_error',
  too_large: 'invalid_request_error',
  too_many_pages: 'invalid_request_error',
  timeout: 'invalid_request_error',
  unsupported_type: 'invalid_request_error',
  empty: 'invalid_request_error',
  rate_limit_exceeded: 'rate_limit_error',
  quota_exceeded: 'rate_limit_error',
  provider_rate_limited: 'rate_limit_error',
  request_cancelled: 'invalid_request_error',
  internal_error: 'api_error',
  provider_error: 'api_error',
  provider_unavailable: 'overloaded_error',
  overloaded: 'overloaded_error',
  service_unavailable: 'overloaded_error',
  provider_timeout: 'timeout_error',
} as const satisfies Record<ErrorCode, ErrorType>;

/** An error in Anthropic's format. */
export interface AnthropicErrorBody {
  readonly type: 'error';
  readonly error: { readonly type: ErrorType; readonly message: string };
  readonly request_id: string;
}

/** Converts an error to a body, without any detail of its cause. */
export function toAnthropicErrorBody({ code, message }: AppError, request_id: string): AnthropicErrorBody {
  return { type: 'error', error: { type: ERROR_TYPES[code], message }, request_id };
}

/** Converts an error that occurs after the answer has begun to an event. */
export function toErrorEvent(error: AppError, requestId: string): OutgoingEvent {
  return { event: 'error', data: toAnthropicErrorBody(error, requestId) };
}

/** Returns the header in which Anthropic's clients look for the request id. */
export function requestIdHeader(requestId: string): Record<string, string> {
  return { 'Request-Id': requestId };
}

/** The error format of these routes, also for errors of the guard and the body parser. */
export const ANTHROPIC_ERROR_FORMAT: ErrorFormat = {
  matches: usesAnthropicFormat,
  body: toAnthropicErrorBody,
  headers: requestIdHeader,
};

/**
 * Returns true for a request to these routes, by the URL as the client sent it, regardless of any later prefix
 * or rewrite.
 */
function usesAnthropicFormat(request: Request): boolean {
  const [path = ''] = request.originalUrl.split('?', 1);
  if (/^\/v1\/messages(\/|$)/i.test(path)) return true;
  return /^\/v1\/models(\/|$)/i.test(path) && isAnthropicRequest(request);
}
