/**
 * Every code that a caller can be told. A code never changes its meaning; its status and type stand in one table
 * (`http/errors/error-table.ts`), which fails to compile when a code is missing there.
 */
export const ERROR_CODES = [
  'invalid_request',
  'provider_rejected',
  'context_length_exceeded',
  'content_policy_violation',
  'unauthorized',
  'invalid_credentials',
  'invalid_refresh_token',
  'invalid_api_key',
  'forbidden',
  'insufficient_scope',
  'account_disabled',
  'registration_closed',
  'not_found',
  'model_not_found',
  'email_taken',
  'last_admin',
  'conversation_busy',
  'idempotency_key_reused',
  'payload_too_large',
  'unsupported_media_type',
  'request_timeout',
  'headers_too_large',
  'price_unknown',
  'output_parse_error',
  'rate_limit_exceeded',
  'quota_exceeded',
  'provider_rate_limited',
  'request_cancelled',
  'internal_error',
  'provider_error',
  'provider_unavailable',
  'overloaded',
  'service_unavailable',
  'provider_timeout',
] as const;

/** One of them. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Whether a text, from a row that an older version may have written, is one of them. */
export function isErrorCode(text: string): text is ErrorCode {
  return ERROR_CODES.some((code) => code === text);
}

/** One thing that is wrong with one field of a request. */
export interface ErrorDetail {
  /** The field as the caller wrote it, dotted for nested ones. */
  readonly field: string;
  /** What is wrong and what the field takes. */
  readonly message: string;
}

export interface AppErrorOptions {
  /** The field or parameter that the error is about. */
  readonly param?: string;
  readonly details?: readonly ErrorDetail[];
  /** When a new try makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** False where a blind retry is wrong; official clients obey it. */
  readonly retryable?: boolean;
  /** For the log only; a caller never sees it. */
  readonly cause?: unknown;
}

/** The root of all errors that we mean: a stable code and a sentence that tells the caller what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly details: readonly ErrorDetail[];
  readonly retryAfterMs: number | undefined;
  readonly retryable: boolean | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.param = options.param ?? null;
    this.details = options.details ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.retryable = options.retryable;
  }
}

/** A request that does not fit its contract; each wrong field is named. */
export class InvalidRequestError extends AppError {
  constructor(message: string, details: readonly ErrorDetail[] = []) {
    super('invalid_request', message, { details, ...(details[0] && { param: details[0].field }) });
  }
}

/** Something that does not exist, or is not the caller's: the two look the same from outside. */
export class NotFoundError extends AppError {
  constructor(what: string, id: string) {
    super('not_found', `There is no ${what} '${id}'.`);
  }
}

/** A refusal of work that this process has as much of as it takes. Nothing is broken: it is taken again soon. */
export class ServerBusyError extends AppError {
  constructor(message: string, retryAfterMs: number) {
    super('service_unavailable', message, { retryAfterMs });
  }
}

/** The failure that a caller sees when something went wrong that nobody foresaw. */
export class InternalError extends AppError {
  constructor(cause: unknown) {
    super(
      'internal_error',
      'Something went wrong on the server. Try again; if the problem persists, report the request_id.',
      {
        cause,
      },
    );
  }
}

/** Anything thrown, as an error that may be shown: ours as it is, everything else as the fixed unknown failure. */
export function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new InternalError(error);
}
