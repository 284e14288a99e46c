import type { ErrorCode } from '../../common/errors.js';

/** The `type` values of OpenAI's errors. */
type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'api_error';

/** The HTTP properties of an error code. */
export interface ErrorEntry {
  readonly status: number;
  readonly type: ErrorType;
  /** When the error occurs; for the API documentation. */
  readonly meaning: string;
}

/** The only mapping of codes to statuses. A missing code is a compile error. */
export const ERROR_TABLE = {
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The request is invalid; `details` names each invalid field.',
  },
  provider_rejected: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The model provider rejected the request; the message gives its reason.',
  },
  context_length_exceeded: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The request exceeds the model’s context window.',
  },
  content_policy_violation: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The model provider rejected the content.',
  },
  price_unknown: {
    status: 400,
    type: 'invalid_request_error',
    meaning: 'The account has a quota in US dollars and the price of the model is unknown.',
  },
  unauthorized: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The request has no valid access token.',
  },
  invalid_credentials: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The email address or the password is wrong.',
  },
  invalid_refresh_token: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The refresh token is unknown or expired, or its session has ended; log in again.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    meaning: 'The API key is malformed, unknown, revoked or expired; the message says which.',
  },
  forbidden: { status: 403, type: 'permission_error', meaning: 'The account is not allowed to do this.' },
  insufficient_scope: {
    status: 403,
    type: 'permission_error',
    meaning: 'The API key lacks the scope that this route requires; the message names it.',
  },
  account_disabled: {
    status: 403,
    type: 'permission_error',
    meaning: 'The password is correct, but an admin has disabled the account.',
  },
  registration_closed: {
    status: 403,
    type: 'permission_error',
    meaning: 'Registration is closed on this server.',
  },
  not_found: {
    status: 404,
    type: 'not_found_error',
    meaning: 'The resource does not exist or belongs to another account.',
  },
  model_not_found: {
    status: 404,
    type: 'not_found_error',
    meaning: 'No provider has this model; the message lists the available models.',
  },
  email_taken: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'An account with this email address already exists.',
  },
  name_taken: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'You already have a collection with this name.',
  },
  limit_reached: {
    status: 409,
    type: 'invalid_request_error',
    meaning:
      'The account has the maximum number of collections, documents, chunks or webhooks; delete some first.',
  },
  batch_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    meaning:
      'The account has the maximum number of batches or of waiting requests; wait for one to end, or cancel one.',
  },
  reindex_required: {
    status: 409,
    type: 'invalid_request_error',
    meaning:
      'The documents of the collection are indexed with another embedding model or chunking; reindex the collection.',
  },
  last_admin: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'This is the last admin account; make another account an admin first.',
  },
  conversation_busy: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'An answer is already being generated in this conversation; wait for it to end.',
  },
  idempotency_key_reused: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'The `Idempotency-Key` was already used for a different request; use a new one.',
  },
  duplicate_document: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'Another document of the collection has the same content; the message names it.',
  },
  not_ready: {
    status: 409,
    type: 'invalid_request_error',
    meaning: 'The text of the file is still being extracted; wait for `Retry-After`, then try again.',
  },
  payload_too_large: {
    status: 413,
    type: 'invalid_request_error',
    meaning: 'The request body is too large.',
  },
  storage_quota_exceeded: {
    status: 413,
    type: 'invalid_request_error',
    meaning: 'The files of the account would exceed its storage quota; delete some first.',
  },
  range_not_satisfiable: {
    status: 416,
    type: 'invalid_request_error',
    meaning: 'The `Range` of the download begins after the end of the file; `Content-Range` has its size.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    meaning: 'The route does not accept this format of request body.',
  },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    meaning: 'The headers or the body of the request did not arrive in time; send the request again.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    meaning: 'The URL and the headers of the request are too large in total.',
  },
  output_parse_error: {
    status: 422,
    type: 'api_error',
    meaning: 'The answer is not the JSON that `response_format` requires; it is stored unchanged.',
  },
  encrypted: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The document is protected by a password, so its text cannot be extracted.',
  },
  no_text_layer: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The document has no text: its pages are images.',
  },
  damaged: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The document is damaged or is not what its first bytes say.',
  },
  too_large: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The document needs more memory, characters or archive entries than the limits allow.',
  },
  too_many_pages: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The document has more pages than the limit allows.',
  },
  timeout: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'Extracting the text of the document took too long.',
  },
  unsupported_type: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The text of files of this type or encoding cannot be extracted.',
  },
  empty: {
    status: 422,
    type: 'invalid_request_error',
    meaning: 'The document has no content.',
  },
  rate_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    meaning: 'Too many requests; retry after the time in `Retry-After`.',
  },
  quota_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    meaning: 'The daily or monthly quota is used up; `Retry-After` says when the next period begins.',
  },
  provider_rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    meaning:
      'The model provider is rate limiting requests; retry after the time in `Retry-After`, if the provider gave one.',
  },
  request_cancelled: {
    status: 499,
    type: 'invalid_request_error',
    meaning: 'The request was cancelled before it was finished.',
  },
  internal_error: {
    status: 500,
    type: 'api_error',
    meaning: 'Something went wrong on the server; the log has the details under the request_id.',
  },
  provider_error: {
    status: 502,
    type: 'api_error',
    meaning: 'The model provider’s answer broke off or could not be parsed.',
  },
  provider_unavailable: { status: 503, type: 'api_error', meaning: 'The model provider cannot be reached.' },
  overloaded: {
    status: 503,
    type: 'api_error',
    meaning: 'Too many requests are waiting for the model provider; retry after the time in `Retry-After`.',
  },
  service_unavailable: {
    status: 503,
    type: 'api_error',
    meaning:
      'The database cannot be reached, the server is shutting down, or it holds its maximum of imports or files in memory; retry after the time in `Retry-After`.',
  },
  provider_timeout: { status: 504, type: 'api_error', meaning: 'The model provider did not answer in time.' },
} as const satisfies Record<ErrorCode, ErrorEntry>;
