import { HttpException } from '@nestjs/common';
import { AppError, asAppError, InvalidRequestError } from '../../common/errors.js';

/** Converts anything that the framework, a body parser or our own code threw to an AppError. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  // The body parser adds a status to an error that our check throws inside it, so Nest wraps that error.
  if (error instanceof HttpException && error.cause instanceof AppError) return error.cause;
  const status = statusOf(error);
  if (status === undefined || status >= 500) return asAppError(error);
  const message = error instanceof Error ? error.message : '';
  switch (status) {
    case 401:
      return new AppError('unauthorized', message);
    case 403:
      return new AppError('forbidden', message);
    case 404:
      return new AppError(
        'not_found',
        `No such route: ${withoutQuery(message.replace(/^Cannot /, ''))}. See /docs for all routes.`,
      );
    case 413:
      return new AppError(
        'payload_too_large',
        `The request body is too large. The limit for a JSON body is ${limitOf(error)} MB.`,
      );
    case 415:
      return new AppError(
        'unsupported_media_type',
        'The encoding of the request body is not supported. Send JSON encoded as UTF-8.',
      );
    default:
      return new InvalidRequestError(reasonOf(error));
  }
}

/**
 * Returns the HTTP status of an error. Nest's exceptions have `getStatus`; body parsers throw errors with a `status`
 * and a `type`.
 */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'status' in error && typeof error.status === 'number') return error.status;
  return undefined;
}

/**
 * Returns the body limit of the route's parser in MB; product routes allow 1. Nest wraps the parser's error in its
 * own.
 */
function limitOf(error: unknown): number {
  const parserError = error instanceof HttpException ? error.cause : error;
  const bytes = parserError instanceof Error && 'limit' in parserError ? parserError.limit : undefined;
  return typeof bytes === 'number' ? Math.round(bytes / 2 ** 20) : 1;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  if (message.startsWith('Failed to decode param'))
    return 'The path is not valid: it contains a malformed % sequence.';
  // A parser's message quotes the body; ours must not.
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  const parserFailed =
    type === 'entity.parse.failed' || (error instanceof HttpException && message.includes('JSON'));
  if (parserFailed) return 'The request body is not a valid JSON object.';
  return 'The request could not be read.';
}

/** Removes the query, which may contain a secret that must not appear in an error. */
function withoutQuery(text: string): string {
  return text.split('?', 1)[0] ?? '';
}
