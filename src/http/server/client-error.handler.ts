import { type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NextFunction, Request, Response } from 'express';
import type { Logger } from 'pino';
import { AppError, InvalidRequestError } from '../../common/errors.js';
import { newId } from '../../common/ids.js';
import { errorEntry, toErrorObject } from '../errors/error-body.dto.js';
import type { ErrorFormats } from '../errors/error-format.js';
import { sendError } from '../errors/error.filter.js';

/**
 * Answers the requests that Node rejects before or while it reads them: input that is not HTTP, oversized headers,
 * and headers or bodies that arrive too slowly. By default, Node answers without a body, or not at all.
 */
export class ClientErrorHandler {
  /** The last response of each connection, for requests that fail after their headers. */
  private readonly responses = new WeakMap<Duplex, Response>();

  constructor(
    private readonly errorFormats: ErrorFormats,
    private readonly logger: Logger,
  ) {}

  /** Express middleware. Must run after the request id is assigned. */
  readonly guard = (request: Request, response: Response, next: NextFunction): void => {
    this.responses.set(request.socket, response);
    // RFC 9112, section 3.2
    const hosts = hostsOf(request);
    if (hosts > 1 || (hosts === 0 && request.httpVersion === '1.1')) {
      response.setHeader('Connection', 'close');
      sendError(
        response,
        new InvalidRequestError('The request must have exactly one Host header.'),
        this.errorFormats,
      );
      return;
    }
    next();
  };

  /** Starts answering the malformed requests of the server. */
  listenTo(server: Server): void {
    server.on('clientError', (error, socket) => this.answer(error, socket));
    // A server may ignore an unknown expectation (RFC 9110, section 10.1.1); Node would answer without a body.
    server.on('checkExpectation', (request, response) => void server.emit('request', request, response));
  }

  private answer(thrown: Error, socket: Duplex): void {
    const response = this.responses.get(socket);
    const answering = response !== undefined && !response.writableFinished;
    if (answering && response.req.complete) {
      // The request itself is complete and gets its response. Only what follows it is malformed, so close afterwards.
      if (!response.headersSent) response.setHeader('Connection', 'close');
      response.once('finish', () => socket.end(() => socket.destroy()));
      return;
    }
    if (!socket.writable || (answering && response.headersSent)) {
      // Part of a response is already sent, so an error response can no longer follow.
      socket.destroy();
      return;
    }
    const error = errorOf(thrown);
    if (answering) {
      response.once('finish', () => socket.end(() => socket.destroy()));
      response.setHeader('Connection', 'close');
      sendError(response, error, this.errorFormats);
      return;
    }
    const requestId = newId();
    this.logger.info({ code: error.code, request_id: requestId }, 'malformed request');
    socket.end(rawResponse(error, requestId), () => socket.destroy());
  }
}

/** Counts the Host headers. Node's `headers` object keeps only the first of several. */
function hostsOf({ rawHeaders }: Request): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

function errorOf(thrown: Error): AppError {
  const code = 'code' in thrown ? thrown.code : undefined;
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new AppError(
        'headers_too_large',
        'The URL and the headers of the request exceed 16 KB in total. Send fewer or shorter headers.',
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('request_timeout', 'The request did not arrive in time. Send it again.');
    default:
      return new InvalidRequestError('The request is not valid HTTP/1.1.');
  }
}

/** Writes the response by hand: if the headers could not be parsed, there is no request object to respond to. */
function rawResponse(error: AppError, requestId: string): string {
  const { status } = errorEntry(error.code);
  const body = JSON.stringify({ error: toErrorObject(error), request_id: requestId });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-ID: ${requestId}`,
    '',
    body,
  ].join('\r\n');
}
