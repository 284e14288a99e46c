import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { AppError } from '../../common/errors.js';
import { isRateLimited, markRateLimited } from '../context/rate-limit-mark.js';
import { errorEntry } from './error-body.dto.js';
import { ErrorFormats } from './error-format.js';
import { toAppError } from './to-app-error.js';
import { addressKey, RateLimitStorage } from '../context/rate-limit.storage.js';
import { requestIdOf } from '../context/request-id.js';

/** Turns everything that is thrown into the error shape of its route. An unknown failure tells the caller nothing about our insides. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  constructor(
    private readonly wires: ErrorFormats,
    private readonly rateLimits: RateLimitStorage,
  ) {}

  /** Never rejects: Nest does not wait for a filter, so a rejection would end the process. */
  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const response = host.switchToHttp().getResponse<Response>();
    try {
      const error = (await this.refusalOf(response.req)) ?? toAppError(thrown);
      logFailure(this.logger, error, requestIdOf(response));
      sendError(response, error, this.wires);
    } catch (failure) {
      this.giveUp(response, failure);
    }
  }

  /** Ends the connection of a response that cannot be written. */
  private giveUp(response: Response, failure: unknown): void {
    try {
      this.logger.error({ err: failure }, 'an error could not be answered; its connection is ended');
    } finally {
      response.destroy();
    }
  }

  /**
   * What failed before the guard that counts, an unknown path or a body that cannot be read, counts here: by its
   * address, because nobody has asked who sent it.
   */
  private async refusalOf(request: Request): Promise<AppError | undefined> {
    if (isRateLimited(request)) return undefined;
    markRateLimited(request);
    try {
      const { admission } = await this.rateLimits.increment(addressKey(request.ip));
      return admission.refusal;
    } catch (error) {
      // The caller reads what went wrong first, whether it could be counted or not.
      this.logger.error({ err: error }, 'a failed request could not be counted');
      return undefined;
    }
  }
}

/** Answers with the error. Where an answer has begun already nothing true can follow it, so the connection is cut. */
export function sendError(response: Response, error: AppError, wires: ErrorFormats): void {
  // One that has ended goes out as it is.
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error.retryAfterMs !== undefined) {
    response.setHeader('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  if (error.retryable === false) response.setHeader('X-Should-Retry', 'false');
  response.set(wires.headersOf(response));
  response.status(errorEntry(error.code).status).json(wires.bodyOf(error, response));
}

/** A caller's mistake is no event of ours; what the operator must know is a warning, the unforeseen an error with its cause. */
export function logFailure(logger: Logger, error: AppError, requestId: string): void {
  const { status } = errorEntry(error.code);
  if (status < 500) return;
  const line = {
    code: error.code,
    request_id: requestId,
    err: error.cause instanceof Error ? error.cause : error,
  };
  if (status === 500) logger.error(line, 'unexpected failure');
  else logger.warn(line, error.message);
}
