import type { NextFunction, Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import type { ErrorFormats } from '../errors/error-format.js';
import { sendError } from '../errors/error.filter.js';

/** Rejects requests once the process shuts down. Closed once, at shutdown. */
export class ShutdownGate {
  private open = true;

  constructor(private readonly errorFormats: ErrorFormats) {}

  /** Rejects all further requests, so that none starts that cannot be finished. */
  close(): void {
    this.open = false;
  }

  /** Express middleware. */
  readonly guard = (_request: Request, response: Response, next: NextFunction): void => {
    if (this.open) {
      next();
      return;
    }
    response.setHeader('Connection', 'close');
    sendError(
      response,
      new AppError('service_unavailable', 'The server is shutting down. Try again in a moment.', {
        retryAfterMs: 2000,
      }),
      this.errorFormats,
    );
  };
}
