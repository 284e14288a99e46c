import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { isRateLimited, markRateLimited } from '../context/rate-limit-mark.js';
import { errorEntry } from './error-body.dto.js';
import { ErrorFormats } from './error-format.js';
import { toAppError } from './to-app-error.js';
import { addressKey, RateLimitStorage } from '../context/rate-limit.storage.js';
import { requestIdOf } from '../context/request-id.js';

/**
 * Turns everything that is thrown into the error format of its route. An unknown failure reveals no internals to the
 * caller.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger(ErrorFilter.name);

  constructor(
    private readonly errorFormats: ErrorFormats,
    private readonly rateLimits: RateLimitStorage,
  ) {}

  /** Never rejects: Nest does not await a filter, so a rejection would end the process. */
  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const response = host.switchToHttp().getResponse<Response>();
    try {
      const error = (await this.refusalOf(response.req)) ?? toAppError(thrown);
      logFailure(this.logger, error, requestIdOf(response));
      sendError(response, error, this.errorFormats);
    } catch (failure) {
      this.giveUp(response, failure);
    }
  }

  /** Closes the connection of a response that cannot be written. */
  private giveUp(response: Response, failure: unknown): void {
    try {
      this.logger.error({ err: failure }, 'could not send an error response; closing the connection');
    } finally {
      response.destroy();
    }
  }

  /**
   * Counts requests that failed before the rate limit guard ran, for instance on an unknown path or an unreadable
   * body. They count by address, because the sender is not authenticated.
   */
  private async refusalOf(request: Request): Promise<AppError | undefined> {
    if (isRateLimited(request)) return undefined;
    markRateLimited(request);
    try {
      const { admission } = await this.rateLimits.increment(addressKey(request.ip));
      return admission.refusal;
    } catch (error) {
      // The original error matters more to the caller than the failure to count it.
      this.logger.error(
        { err: error },
        'could not count a failed request; it does not count towards the rate limit',
      );
      return undefined;
    }
  }
}

/**
 * Sends the error. If part of a response is already sent, closes the connection, because an error can no longer
 * follow.
 */
export function sendError(response: Response, error: AppError, errorFormats: ErrorFormats): void {
  // A response that has ended is left unchanged.
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.retryAfterMs !== undefined) {
    response.setHeader('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  if (error.retryable === false) response.setHeader('X-Should-Retry', 'false');
  response.set(errorFormats.headersOf(response));
  response.status(errorEntry(error.code).status).json(errorFormats.bodyOf(error, response));
}

/**
 * Logs a failure on the server side: an unexpected one as an error with its cause, others as a warning. Mistakes of
 * the caller are not logged.
 */
export function logFailure(logger: Logger, error: AppError, requestId: string): void {
  const { status, meaning } = errorEntry(error.code);
  if (status < 500) return;
  const line = {
    code: error.code,
    request_id: requestId,
    err: error.cause instanceof Error ? error.cause : error,
  };
  if (status === 500) logger.error(line, 'unexpected failure');
  // The message of an error with a cause may be that of a provider, which may quote the request.
  else logger.warn(line, error.cause === undefined ? error.message : meaning);
}
