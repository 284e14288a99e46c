import type { ErrorCode } from '../../common/errors.js';

/** The `type` words that OpenAI's clients know. */
type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'api_error';

/** What an error code is in HTTP. */
export interface ErrorEntry {
  readonly status: number;
  readonly type: ErrorType;
  /** When a caller meets it; for the API documentation. */
  readonly meaning: string;
}

/** The one place where codes become statuses. A code that is missing here does not compile. */
export const ERROR_TABLE = {
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The request does not fit its contract; `details` names each wrong field.',
  },
  provider_rejected: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The model provider refuses the request; the message is its reason.',
  },
  context_length_exceeded: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The request is longer than the model takes.',
  },
  content_policy_violation: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The model provider refuses the content.',
  },
  price_unknown: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The account has a quota in dollars, and the price of the model is not known.',
  },
  unauthorized: {
    status: 401,
    type: 'authentication_error',
    meaning: 'No valid access token came with the request.',
  },
  invalid_credentials: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The email address or the password is wrong.',
  },
  invalid_refresh_token: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The refresh token is none of ours, has expired, or its session has ended; log in again.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The API key is mistyped, unknown, revoked or expired; the message says which.',
  },
  forbidden: { status: 403, type: 'permission_error', meaning: 'The account may not do this.' },
  insufficient_scope: {
    status: 403,
    type: 'permission_error',
    meaning: 'The API key does not have the scope of this route; the message names it.',
  },
  account_disabled: {
    status: 403,
    type: 'permission_error',
    meaning: 'The password is right, but an admin has disabled the account.',
  },
  registration_closed: {
    status: 403,
    type: 'permission_error',
    meaning: 'This server does not let anybody register.',
  },
  not_found: {
    status: 404,
    type: 'not_found_error',
    meaning: 'It does not exist, or belongs to somebody else.',
  },
  model_not_found: {
    status: 404,
    type: 'not_found_error',
    meaning: 'No provider has this model; the message names those there are.',
  },
  email_taken: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'There is an account with this email address already.',
  },
  last_admin: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'Nobody would be left to administer this server; make another account an admin first.',
  },
  conversation_busy: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'An answer is being generated in this conversation; wait for it to end.',
  },
  idempotency_key_reused: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'The `Idempotency-Key` came before with another request; use a new one.',
  },
  payload_too_large: {
    status: 413,
    type: 'invalid_request_error',
    meaning: 'The request body is too large.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    meaning: 'The request body is not in a format that the route takes.',
  },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    meaning: 'The headers or the body of the request did not come in time; send it again.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    meaning: 'The address and the headers of the request are too large together.',
  },
  output_parse_error: {
    status: 422,
    type: 'api_error',
    meaning: 'The answer is not the JSON that `response_format` asks for; it is stored as it came.',
  },
  rate_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    meaning: 'Too many requests came; `Retry-After` says when to come back.',
  },
  quota_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    meaning: 'The quota of the day or the month is used up; `Retry-After` says when the next one begins.',
  },
  provider_rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    meaning: 'The model provider has too many requests; `Retry-After` says when to come back if it told.',
  },
  request_cancelled: {
    status: 499,
    type: 'invalid_request_error',
    meaning: 'The request was cancelled before it ended.',
  },
  internal_error: {
    status: 500,
    type: 'api_error',
    meaning: 'Something went wrong on our side; the log has it under the request_id.',
  },
  provider_error: {
    status: 502,
    type: 'api_error',
    meaning: 'The model provider broke its answer off or sent one that cannot be read.',
  },
  provider_unavailable: { status: 503, type: 'api_error', meaning: 'The model provider cannot be reached.' },
  overloaded: {
    status: 503,
    type: 'api_error',
    meaning: 'Too many requests wait for the model provider; `Retry-After` says when to come back.',
  },
  service_unavailable: {
    status: 503,
    type: 'api_error',
    meaning:
      'The database cannot be reached, the server is shutting down, or it has as many imports or files in memory as it takes; `Retry-After` says when to come back.',
  },
  provider_timeout: { status: 504, type: 'api_error', meaning: 'The model provider did not answer in time.' },
} as const satisfies Record<ErrorCode, ErrorEntry>;
