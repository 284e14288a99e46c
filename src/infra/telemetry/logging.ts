import type { Params } from 'nestjs-pino';
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toLoggedError } from './logged-error.js';

/** Field names that would contain a secret or user text, in case a line ever has them. */
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
 * Serializers for requests, responses and errors. Requires `wrapSerializers: false`: otherwise pino-http wraps ours
 * in its own serializers, which add the message and all properties of an error.
 */
const SERIALIZERS = {
  req: (request: IncomingMessage) => ({ id: request.id, method: request.method, path: pathOf(request) }),
  res: (response: ServerResponse) => ({ status: response.statusCode }),
  err: (error: unknown) => toLoggedError(error),
};

/** Fields that a person who reads the log in a terminal does not need below the message of each request. */
const HIDDEN_FIELDS = [
  'req',
  'res',
  'responseTime',
  'context',
  'route',
  'user_id',
  'api_key_id',
  'model',
  'input_tokens',
  'output_tokens',
  'cost_usd',
].join(',');

/**
 * Creates the logger of the process, which writes JSON lines, or coloured text for an interactive terminal.
 *
 * @param options.destination where to write instead of standard output
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
  return pino(settings, pretty({ translateTime: 'SYS:HH:MM:ss', ignore: HIDDEN_FIELDS, sync: true }));
}

/** Sets a message for a line with an error but no message: pino would use the error's, which may quote its input. */
function withOwnMessage(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const [line, message]: readonly unknown[] = args;
  const error: unknown = typeof line === 'object' && line !== null && 'err' in line ? line.err : line;
  if (message === undefined && error instanceof Error) method.call(this, line, 'unexpected error');
  else method.apply(this, args);
}

/**
 * Returns options that make Nest's logger write to ours. A middleware of http/ logs requests, because that must come
 * before the body parser.
 */
export function nestLogging(logger: Logger): Params {
  return { pinoHttp: { logger, wrapSerializers: false, serializers: SERIALIZERS }, forRoutes: [] };
}

/**
 * Logs a line for each request: method, path, status, duration, id. Omits bodies, queries and headers, which contain
 * user data and tokens.
 *
 * Does not use pino-http, which creates a logger for each request and serializes the request into it, even if no line
 * of that level is logged.
 *
 * @param assignId assigns the request its id
 * @param fieldsOf returns further fields of the line, such as the sender and the route; called when the request ends
 */
export function requestLogging<Request extends IncomingMessage>(
  logger: Logger,
  assignId: (request: IncomingMessage, response: ServerResponse) => string,
  fieldsOf: (request: Request) => Readonly<Record<string, unknown>>,
): (request: Request, response: ServerResponse, next?: () => void) => void {
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
      lines[level](
        { req, res, responseTime, ...fieldsOf(req) },
        `${summaryOf(req, res)} ${responseTime.toFixed(0)} ms`,
      );
    };
    res.on('close', write);
    res.on('error', write);
    next?.();
  };
}

/**
 * Returns the log level for a request: `error` if the server failed, `info` if the caller did, as after a success. The
 * requests of monitoring are `debug`, and `warn` if the answer is that the server is not ready.
 */
function levelOf(request: IncomingMessage, response: ServerResponse): 'debug' | 'info' | 'warn' | 'error' {
  const isProbe = PROBES.test(pathOf(request));
  if (response.statusCode >= 500) return isProbe ? 'warn' : 'error';
  return isProbe ? 'debug' : 'info';
}

/** Paths that monitoring requests every few seconds. */
const PROBES = /^\/(health|metrics)(\/|$)/;

function summaryOf(request: IncomingMessage, response: ServerResponse): string {
  const closed = response.writableFinished ? '' : ', closed by the client';
  return `${request.method ?? ''} ${pathOf(request)} ${String(response.statusCode)}${closed}`;
}

/** Scheme and authority of a request to a proxy (`GET http://user:password@host/path`). */
const AUTHORITY = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i;

/** Query, fragment and parameters: none of our paths has the latter two, but a client may send secrets in them. */
const AFTER_PATH = /[?#;].*/s;

/** A path segment longer than an id (36 characters) is a secret that grants access, or not one of our paths. */
const SECRET_SEGMENT = /[^/]{37,}/g;

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '')
    .replace(AUTHORITY, '')
    .replace(AFTER_PATH, '')
    .replace(SECRET_SEGMENT, '[redacted]');
}
