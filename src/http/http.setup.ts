import type { NestExpressApplication } from '@nestjs/platform-express';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import type { Metrics } from '../infra/metrics/index.js';
import { requestLogging, trackRequestUsage } from '../infra/telemetry/index.js';
import type { CorsOrigins, TrustProxy } from '../config/index.js';
import type { Authenticator } from './context/authenticator.js';
import type { ClientErrorHandler } from './server/client-error.handler.js';
import { declaresJson } from './guards/content-type.guard.js';
import { corsMiddleware } from './server/cors.js';
import type { ErrorFormats } from './errors/error-format.js';
import type { ShutdownGate } from './server/shutdown-gate.js';
import { assertJsonText, assertUtf8, jsonTextCheck } from './body/json-limits.js';
import {
  limitDeclaredBody,
  limitDeclaredForm,
  limitUnparsedBody,
  requireAuthForLargeBody,
} from './body/body-size-limit.js';
import { addressLimit } from './guards/rate-limit.guard.js';
import { serveOpenApi } from './openapi/openapi.js';
import { requestLogFields } from './context/request-log-fields.js';
import { processTime } from './context/process-time.js';
import { assignRequestId } from './context/request-id.js';
import type { RateLimitStorage } from './context/rate-limit.storage.js';
import { requestMetrics } from './server/request-metrics.js';
import { applySecurityHeaders } from './server/security-headers.js';
import { API_VERSIONING } from './context/api-version.js';

/** One megabyte, in bytes: also the maximum JSON body of every route except those in `LARGE_JSON`. */
const MEGABYTE = 2 ** 20;

/** Routes whose JSON may be as large as an upload. A JSON schema decides on their unknown fields. */
const LARGE_JSON = [/^\/v1(?!\/files\/?$)(?=\/|$)/i, '/ollama', '/api/v1/conversations/import'];

/** The route of new batches, whose JSON may be as large too. */
const BATCHES = /^\/api\/v1\/batch\/?$/i;

/** Advice for more requests than fit into the JSON of a batch. */
const LARGE_BATCH = 'Upload a file of requests, one per line, and send its id as input_file_id.';

/** Documentation paths that are not Nest routes, so no guard protects them. */
const DOCUMENTATION = ['/docs', '/docs-json', '/docs-yaml'];

/** Upload routes. They read their files themselves; a JSON body sent to them has the same limit as any other. */
const UPLOADS =
  /^(?:\/v1\/files|\/api\/v1\/(?:files|analyze\/pdf|rag\/collections\/[^/]+\/documents(?:\/[^/]+)?))\/?$/i;
const ALL_BUT_UPLOADS =
  /^\/api(?!\/v1\/(?:files|analyze\/pdf|rag\/collections\/[^/]+\/documents(?:\/[^/]+)?)\/?$)(?=\/|$)/i;

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
  app.use(processTime);
  app.use(requestLogging(options.logger, assignRequestId, requestLogFields));
  app.use(requestMetrics(options.metrics));
  applySecurityHeaders(app);
  if (options.corsOrigins !== undefined) app.use(corsMiddleware(options.corsOrigins));
  app.use(options.clientErrors.guard);
  app.use(options.shutdownGate.guard);
  const largest = options.maxUploadMb * MEGABYTE;
  const json = { strict: true, type: declaresJson };
  const largeJson = express.json({ ...json, limit: largest, verify: assertJsonText });
  app.use('/ollama', undeclaredJson);
  app.use(LARGE_JSON, requireAuthForLargeBody(options.authenticator), limitDeclaredBody(largest), largeJson);
  const batchJson = express.json({ ...json, limit: largest, verify: jsonTextCheck(LARGE_BATCH) });
  app.use(BATCHES, requireAuthForLargeBody(options.authenticator), limitDeclaredBody(largest), batchJson);
  app.use(
    UPLOADS,
    requireAuthForLargeBody(options.authenticator),
    limitDeclaredForm(options.maxFileMb * MEGABYTE),
  );
  app.use(ALL_BUT_UPLOADS, limitUnparsedBody(MEGABYTE));
  app.use(express.json({ ...json, limit: MEGABYTE, verify: assertUtf8 }));
  app.use(trackRequestUsage);
  app.use(DOCUMENTATION, addressLimit(options.rateLimits, options.errorFormats));
  serveOpenApi(app, options.version);
}

/** Ollama parses every body as JSON, and the examples in its own documentation declare no content type. */
function undeclaredJson(request: Request, _response: Response, next: NextFunction): void {
  if (!declaresJson(request)) request.headers['content-type'] = 'application/json';
  next();
}
