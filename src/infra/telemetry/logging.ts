import type { Params } from 'nestjs-pino';
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
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

/**
 * What of requests, responses and errors is written. Goes with `wrapSerializers: false`: else pino-http puts its own
 * serializers around ours, which add the message and all properties of an error.
 */
const SERIALIZERS = {
  req: (request: IncomingMessage) => ({ id: request.id, method: request.method, path: pathOf(request) }),
  res: (response: ServerResponse) => ({ status: response.statusCode }),
  err: (error: unknown) => toLoggedError(error),
};

/**
 * The logger of the process: JSON lines, or coloured text where a person is watching.
 *
 * @param options.destination where the lines go instead of standard output
 */
export function createLogger(options: {
  readonly level: string;
  readonly readable: boolean;
  readonly destination?: DestinationStream;
}): Logger {
  const settings = {
    level: options.level,
    base: {},
    redact: { paths: REDACTED, censor: '[redacted]' },
    serializers: { err: SERIALIZERS.err },
    hooks: { logMethod: withOwnMessage },
  };
  if (options.destination !== undefined) return pino(settings, options.destination);
  if (!options.readable) return pino(settings);
  return pino(
    settings,
    pretty({ translateTime: 'SYS:HH:MM:ss', ignore: 'req,res,responseTime,context', sync: true }),
  );
}

/** Where a line has an error and no message, pino would write the error's, which may quote what it was given. */
function withOwnMessage(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [line, message]: readonly unknown[] = args;
  const error: unknown = typeof line === 'object' && line !== null && 'err' in line ? line.err : line;
  if (message === undefined && error instanceof Error) method.call(this, line, 'unexpected error');
  else method.apply(this, args);
}

/**
 * How Nest's own logger writes through ours. Requests are logged by a middleware of http/, which must stand before the
 * body parser.
 */
export function nestLogging(logger: Logger): Params {
  return { pinoHttp: { logger, wrapSerializers: false, serializers: SERIALIZERS }, forRoutes: [] };
}

/**
 * Writes a line for each request: method, path, status, duration, id. Bodies, queries and headers are not in it;
 * they hold what people wrote and the tokens that they wrote it with.
 *
 * By hand and not with pino-http, which makes a logger of its own for each request and writes the request into it,
 * whether a line of that level is wanted or not.
 *
 * @param assignId gives the request its id
 */
export function requestLogging(
  logger: Logger,
  assignId: (request: IncomingMessage, response: ServerResponse) => string,
): (request: IncomingMessage, response: ServerResponse, next?: () => void) => void {
  const lines = logger.child({}, { serializers: SERIALIZERS });
  return (req, res, next) => {
    const startedAt = Date.now();
    req.id = assignId(req, res);
    let written = false;
    const write = (): void => {
      if (written) return;
      written = true;
      const level = levelOf(req, res);
      if (!lines.isLevelEnabled(level)) return;
      const responseTime = Date.now() - startedAt;
      lines[level]({ req, res, responseTime }, `${summaryOf(req, res)} ${responseTime.toFixed(0)} ms`);
    };
    res.on('close', write);
    res.on('error', write);
    next?.();
  };
}

/** Why a request failed is logged where it is known, with the same id; a 5xx needs no second error line. */
function levelOf(request: IncomingMessage, response: ServerResponse): 'debug' | 'info' | 'warn' {
  if (response.statusCode >= 500) return 'warn';
  return pathOf(request).startsWith('/health') ? 'debug' : 'info';
}

function summaryOf(request: IncomingMessage, response: ServerResponse): string {
  const closed = response.writableFinished ? '' : ', closed by the client';
  return `${request.method ?? ''} ${pathOf(request)} ${String(response.statusCode)}${closed}`;
}

const QUERY = /\?.*/s;

/** A segment that is longer than an id is a secret by which somebody is let in, or nothing of ours. */
const SECRET_SEGMENT = /[^/]{40,}/g;

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').replace(QUERY, '').replace(SECRET_SEGMENT, '[redacted]');
}
