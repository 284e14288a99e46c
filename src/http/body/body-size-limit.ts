import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AppError, FileTooLargeError } from '../../common/errors.js';
import { credentialOf } from '../guards/auth.guard.js';
import type { Authenticator } from '../context/authenticator.js';

/**
 * Bodies up to this many bytes are read before authentication: reading them costs less than checking the credentials.
 */
const SMALL_BODY = 65_536;

const MEGABYTE = 2 ** 20;

/** Maximum number of text fields in a form. */
export const MAX_FORM_FIELDS = 16;

/** Maximum size of a text field in a form, in bytes, unless its route has another one. */
export const MAX_FORM_FIELD_BYTES = 4096;

/** Maximum size of the text fields of any form in total, in bytes. */
const MAX_FORM_TEXT_BYTES = 131_072;

/** Additional bytes allowed in a form besides its file: text fields, boundaries and the headers of parts. */
export const FORM_BYTES = 16_384 + MAX_FORM_FIELDS * 1024 + MAX_FORM_TEXT_BYTES;

/**
 * Authenticates the sender of a large body before it is read, on routes that need credentials. Their own guard runs
 * only after the body parser, which would hold megabytes of unauthenticated data for as long as they take to arrive.
 */
export function requireAuthForLargeBody(authenticator: Authenticator): RequestHandler {
  return (request, response, next) => {
    if (lengthOf(request) <= SMALL_BODY) {
      next();
      return;
    }
    // Called in an async function, because a request without credentials throws synchronously.
    const asked = (async () => authenticator.authenticate(credentialOf(request)))();
    asked.then(
      () => {
        // If the request failed in the meantime, it has already been answered.
        if (!response.headersSent) next();
      },
      (error: unknown) => {
        refuse(response, error, next);
      },
    );
  };
}

/**
 * Rejects a request whose declared length exceeds the limit. The body parser would do so too, but only after reading
 * all of it.
 */
export function limitDeclaredBody(maxBytes: number): RequestHandler {
  const message = `The request body is too large. The limit for a JSON body is ${Math.round(maxBytes / MEGABYTE)} MB.`;
  return refuseAbove(maxBytes, () => new AppError('payload_too_large', message));
}

/** Rejects forms that are too large. Allows the largest file plus the bytes that the form itself needs. */
export function limitDeclaredForm(maxBytes: number): RequestHandler {
  return refuseAbove(maxBytes + FORM_BYTES, () => new FileTooLargeError(maxBytes));
}

function refuseAbove(maxBytes: number, errorOf: () => AppError): RequestHandler {
  return (request, response, next) => {
    const length = lengthOf(request);
    if (length <= maxBytes || length === Infinity) next();
    else refuse(response, errorOf(), next);
  };
}

/** Rejects a body that is too large, unless a parser with a higher limit has already read it. */
export function limitUnparsedBody(maxBytes: number): RequestHandler {
  const refuseIt = limitDeclaredBody(maxBytes);
  return (request: Request & { body?: unknown }, response, next) => {
    if (request.body === undefined) refuseIt(request, response, next);
    else next();
  };
}

/** An unread body cannot be skipped, so no further request can follow on this connection. */
function refuse(response: Response, error: unknown, next: NextFunction): void {
  if (response.headersSent) return;
  response.setHeader('Connection', 'close');
  next(error);
}

/** Returns Infinity for a chunked body, whose length is known only at its end. */
function lengthOf({ headers }: Request): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Infinity;
}
