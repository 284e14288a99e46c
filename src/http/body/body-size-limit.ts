import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { credentialOf } from '../guards/auth.guard.js';
import type { Authenticator } from '../context/authenticator.js';

/** Bodies up to this many bytes are read whoever sends them: it costs less than to ask who does. */
const SMALL_BODY = 65_536;

const MEGABYTE = 2 ** 20;

/** What a form may have beside its file: boundaries and the headers of a part. */
const FORM_BYTES = 16_384;

/**
 * Asks who sends a large body before it is read, on routes that need credentials. Their own guard comes only after the
 * body parser, which would hold the megabytes of strangers for as long as they take to send them.
 */
export function requireAuthForLargeBody(authenticator: Authenticator): RequestHandler {
  return (request, response, next) => {
    if (lengthOf(request) <= SMALL_BODY) {
      next();
      return;
    }
    // Within a function that is async, because a request without credentials throws at once.
    const asked = (async () => authenticator.authenticate(credentialOf(request)))();
    asked.then(
      () => {
        // A request that broke meanwhile has been answered.
        if (!response.headersSent) next();
      },
      (error: unknown) => {
        refuse(response, error, next);
      },
    );
  };
}

/** Refuses what says by itself that it is larger. The body parser would do so too, but only when all of it has come. */
export function refuseLarger(maxBytes: number): RequestHandler {
  return refuseAbove(
    maxBytes,
    `The request body is too large. The limit for a JSON body is ${Math.round(maxBytes / MEGABYTE)} MB.`,
  );
}

/** The same for forms: beside a file of the largest size there is room for what a form needs itself. */
export function refuseLargerFiles(maxBytes: number): RequestHandler {
  return refuseAbove(maxBytes + FORM_BYTES, tooLargeFile(maxBytes));
}

/** What is said of a file that is too large. */
export function tooLargeFile(maxBytes: number): string {
  return `The file is too large. The limit for a file is ${Math.round(maxBytes / MEGABYTE)} MB.`;
}

function refuseAbove(maxBytes: number, message: string): RequestHandler {
  return (request, response, next) => {
    const length = lengthOf(request);
    if (length <= maxBytes || length === Infinity) next();
    else refuse(response, new AppError('payload_too_large', message), next);
  };
}

/** The same for what has not been read by a parser that takes larger ones. */
export function limitUnparsedBody(maxBytes: number): RequestHandler {
  const refuseIt = refuseLarger(maxBytes);
  return (request: Request & { body?: unknown }, response, next) => {
    if (request.body === undefined) refuseIt(request, response, next);
    else next();
  };
}

/** What is not read cannot be skipped, so nothing can follow it on its connection. */
function refuse(response: Response, error: unknown, next: NextFunction): void {
  if (response.headersSent) return;
  response.setHeader('Connection', 'close');
  next(error);
}

/** Infinite where it is told only at its end. */
function lengthOf({ headers }: Request): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Infinity;
}
