import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Logger } from 'pino';
import type { Metrics } from '../infra/metrics/index.js';
import { requestLogging, trackRequestUsage } from '../infra/telemetry/index.js';
import type { CorsOrigins, TrustProxy } from '../config/index.js';
import type { Authenticator } from './context/authenticator.js';
import type { ClientErrorHandler } from './server/client-error.handler.js';
import { corsMiddleware } from './server/cors.js';
import type { ErrorFormats } from './errors/error-format.js';
import type { ShutdownGate } from './server/shutdown-gate.js';
import { bodyReader } from './body/body-reader.js';
import { addressLimit } from './guards/rate-limit.guard.js';
import { serveOpenApi } from './openapi/openapi.js';
import { requestLogFields } from './context/request-log-fields.js';
import { processTime } from './context/process-time.js';
import { assignRequestId } from './context/request-id.js';
import type { RateLimitStorage } from './context/rate-limit.storage.js';
import { requestMetrics } from './server/request-metrics.js';
import { inOrder } from './server/in-order.js';
import { securityHeaders } from './server/security-headers.js';
import { API_VERSIONING } from './context/api-version.js';

/** Documentation paths that are not Nest routes, so no guard protects them. */
const DOCUMENTATION = ['/docs', '/docs-json', '/docs-yaml'];

/**
 * Sets up everything before routing. The order matters: a request must have its id and its log line before parsing
 * its body can fail.
 */
export function configureHttp(
  app: NestExpressApplication,
  options: {
    readonly version: string;
    readonly logger: Logger;
    readonly metrics: Metrics;
    readonly shutdownGate: ShutdownGate;
    readonly clientErrors: ClientErrorHandler;
    readonly authenticator: Authenticator;
    readonly maxUploadMb: number;
    /** Maximum size of an uploaded file of any purpose, in megabytes. */
    readonly maxFileMb: number;
    readonly trustProxy: TrustProxy;
    /** Origins whose pages may use the API from a browser; undefined for none. */
    readonly corsOrigins: CorsOrigins | undefined;
    readonly rateLimits: RateLimitStorage;
    readonly errorFormats: ErrorFormats;
  },
): void {
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set('trust proxy', options.trustProxy);
  app.enableVersioning(API_VERSIONING);
  const cors = options.corsOrigins === undefined ? [] : [corsMiddleware(options.corsOrigins)];
  app.use(
    inOrder(
      processTime,
      requestLogging(options.logger, assignRequestId, requestLogFields),
      requestMetrics(options.metrics),
      securityHeaders(),
      ...cors,
      options.clientErrors.guard,
      options.shutdownGate.guard,
      bodyReader(options),
      trackRequestUsage,
    ),
  );
  app.use(DOCUMENTATION, addressLimit(options.rateLimits, options.errorFormats));
  serveOpenApi(app, options.version);
}
