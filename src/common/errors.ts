/**
 * All error codes that callers may receive. The meaning of a code never changes; its status and type are in a single
 * table (`http/errors/error-table.ts`), which does not compile if a code is missing.
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
  'name_taken',
  'limit_reached',
  'batch_limit_exceeded',
  'reindex_required',
  'last_admin',
  'conversation_busy',
  'idempotency_key_reused',
  'duplicate_document',
  'not_ready',
  'payload_too_large',
  'storage_quota_exceeded',
  'range_not_satisfiable',
  'unsupported_media_type',
  'request_timeout',
  'headers_too_large',
  'price_unknown',
  'output_parse_error',
  'encrypted',
  'no_text_layer',
  'damaged',
  'too_large',
  'too_many_pages',
  'timeout',
  'unsupported_type',
  'empty',
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

/** One of the error codes. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Returns true if a text, possibly from a row written by an older version, is an error code. */
export function isErrorCode(text: string): text is ErrorCode {
  return ERROR_CODES.some((code) => code === text);
}

/** A problem with one field of a request. */
export interface ErrorDetail {
  /** Name of the field as the caller wrote it, dotted if nested. */
  readonly field: string;
  /** The problem and the accepted values. */
  readonly message: string;
}

export interface AppErrorOptions {
  /** The field or parameter that caused the error. */
  readonly param?: string;
  readonly details?: readonly ErrorDetail[];
  /** Delay after which a retry makes sense, in milliseconds. */
  readonly retryAfterMs?: number;
  /** False if an unchanged retry is pointless; official clients respect it. */
  readonly retryable?: boolean;
  /** For the log only; never sent to a caller. */
  readonly cause?: unknown;
}

/** Base class of all deliberate errors: a stable code and a sentence that tells the caller what to do. */
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

/** Rejects a request that does not match its contract; names each invalid field. */
export class InvalidRequestError extends AppError {
  constructor(message: string, details: readonly ErrorDetail[] = []) {
    super('invalid_request', message, { details, ...(details[0] && { param: details[0].field }) });
  }
}

/**
 * Reports something that does not exist or does not belong to the caller; the two are indistinguishable from
 * outside.
 */
export class NotFoundError extends AppError {
  constructor(what: string, id: string) {
    super('not_found', `There is no ${what} '${id}'.`);
  }
}

/** Rejects a file that exceeds its limit. */
export class FileTooLargeError extends AppError {
  /** @param maxBytes maximum size of the file */
  constructor(maxBytes: number) {
    const megabytes = Math.round(maxBytes / 2 ** 20);
    super('payload_too_large', `The file is too large. The limit for a file is ${megabytes} MB.`);
  }
}

/** Rejects an `Idempotency-Key` that is reused for a different request. */
export class IdempotencyKeyReusedError extends AppError {
  constructor() {
    super(
      'idempotency_key_reused',
      'This Idempotency-Key was already used for a different request. Use a new key for each new request.',
      { param: 'Idempotency-Key', retryable: false },
    );
  }
}

/** Rejects work because this process is at its limit. Nothing is broken: a retry will soon succeed. */
export class ServerBusyError extends AppError {
  constructor(message: string, retryAfterMs: number) {
    super('service_unavailable', message, { retryAfterMs });
  }
}

/** Reports an unexpected failure to the caller. */
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

/**
 * Converts anything thrown to an error that may be shown: an AppError unchanged, everything else as InternalError.
 */
export function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new InternalError(error);
}
