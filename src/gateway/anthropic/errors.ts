import type { Request } from 'express';
import type { AppError, ErrorCode } from '../../common/errors.js';
import type { OutgoingEvent } from '../../common/event-stream.js';
import { type ErrorWire, speaksAnthropic } from '../../http/index.js';

/** The `type` words that Anthropic's clients know. https://platform.claude.com/docs/en/api/errors */
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

/** What each code is on this wire; its status is that of every other one. A code that is missing here does not compile. */
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
  last_admin: 'invalid_request_error',
  conversation_busy: 'invalid_request_error',
  idempotency_key_reused: 'invalid_request_error',
  payload_too_large: 'request_too_large',
  unsupported_media_type: 'invalid_request_error',
  request_timeout: 'timeout_error',
  headers_too_large: 'request_too_large',
  output_parse_error: 'api_error',
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

/** An error as clients of this wire read it. */
export interface AnthropicErrorBody {
  readonly type: 'error';
  readonly error: { readonly type: ErrorType; readonly message: string };
  readonly request_id: string;
}

/** The body of an error, without anything of its cause. */
export function toErrorBody({ code, message }: AppError, request_id: string): AnthropicErrorBody {
  return { type: 'error', error: { type: ERROR_TYPES[code], message }, request_id };
}

/** The event of an error that comes after the answer has begun. */
export function toErrorEvent(error: AppError, requestId: string): OutgoingEvent {
  return { event: 'error', data: toErrorBody(error, requestId) };
}

/** The header in which clients of this wire look for the id of their request. */
export function requestIdHeader(requestId: string): Record<string, string> {
  return { 'Request-Id': requestId };
}

/** How this surface tells errors, those of the guard and of the body's parser too. */
export const ANTHROPIC_ERRORS: ErrorWire = { speaks, body: toErrorBody, headers: requestIdHeader };

/** By the address as the client wrote it, whatever a prefix or a rewrite has made of it since. */
function speaks(request: Request): boolean {
  const [path = ''] = request.originalUrl.split('?', 1);
  if (/^\/v1\/messages(\/|$)/i.test(path)) return true;
  return /^\/v1\/models(\/|$)/i.test(path) && speaksAnthropic(request);
}
