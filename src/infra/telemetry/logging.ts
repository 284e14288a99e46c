import { type Logger, pino } from 'pino';
import { pinoHttp, type HttpLogger } from 'pino-http';
import pretty from 'pino-pretty';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toLoggedError } from './logged-error.js';

/** Names under which a secret or a text of a user would stand, should a line ever carry one. */
const REDACTED = [
  'password',
  'authorization',
  'api_key',
  'apiKey',
  'access_token',
  'token',
  'secret',
  'content',
  'prompt',
].flatMap((name) => [name, `*.${name}`]);

/** The logger of the process: JSON lines, or coloured text where a person is watching. */
export function createLogger(options: { readonly level: string; readonly readable: boolean }): Logger {
  const settings = {
    level: options.level,
    base: {},
    redact: { paths: REDACTED, censor: '[redacted]' },
    serializers: { err: (error: unknown) => toLoggedError(error) },
  };
  if (!options.readable) return pino(settings);
  return pino(
    settings,
    pretty({ translateTime: 'SYS:HH:MM:ss', ignore: 'req,res,responseTime,context', sync: true }),
  );
}

/**
 * Writes a line for each request: method, path, status, duration, id. Bodies, queries and headers are not in it;
 * they hold what people wrote and the tokens that they wrote it with.
 *
 * @param assignId gives the request its id
 */
export function requestLogging(
  logger: Logger,
  assignId: (request: IncomingMessage, response: ServerResponse) => string,
): HttpLogger {
  return pinoHttp({
    logger,
    genReqId: assignId,
    // Else pino-http wraps our serializers in its own, which add the message and all properties of an error.
    wrapSerializers: false,
    serializers: {
      req: (request: IncomingMessage) => ({ id: request.id, method: request.method, path: pathOf(request) }),
      res: (response: ServerResponse) => ({ status: response.statusCode }),
      err: (error: unknown) => toLoggedError(error),
    },
    customLogLevel: (request, response) => {
      if (response.statusCode >= 500) return 'error';
      return pathOf(request).startsWith('/health') ? 'debug' : 'info';
    },
    customSuccessMessage: (request, response, durationMs) =>
      `${request.method ?? ''} ${pathOf(request)} ${String(response.statusCode)} ${durationMs.toFixed(0)} ms`,
    customErrorMessage: (request, response) =>
      `${request.method ?? ''} ${pathOf(request)} ${String(response.statusCode)}${response.writableFinished ? '' : ' closed by the client'}`,
  });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}
