import type { LoggerService } from '@nestjs/common';
import { Logger as NestPinoLogger, PinoLogger } from 'nestjs-pino';
import type { Logger } from 'pino';
import { nestLogging } from './logging.js';

/** Contexts of Nest's own log lines about modules, routes and listening. */
const NEST_CONTEXTS: ReadonlySet<unknown> = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * Nest's logger during startup. It writes to our log from the beginning and omits Nest's own reports: modules and
 * routes are of no use to an operator, and a failure to listen gets a message of ours.
 */
export class StartLogger implements LoggerService {
  private readonly logger: NestPinoLogger;

  constructor(logger: Logger) {
    const parameters = nestLogging(logger);
    this.logger = new NestPinoLogger(new PinoLogger(parameters), parameters);
  }

  log(message: unknown, ...rest: unknown[]): void {
    if (!NEST_CONTEXTS.has(rest.at(-1))) this.logger.log(message, ...rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.logger.warn(message, ...rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    if (!NEST_CONTEXTS.has(rest.at(-1))) this.logger.error(message, ...rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.logger.fatal(message, ...rest);
  }
}
