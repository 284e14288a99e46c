import type { NextFunction, Request, Response } from 'express';
import type { Metrics } from '../../infra/metrics/index.js';
import { routeTemplateOf } from '../context/route-template.js';

/** Methods that are counted by name; callers can send many others. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Returns Express middleware that counts requests and measures their duration. */
export function requestMetrics(metrics: Metrics) {
  let active = 0;
  metrics.addCollector(() => {
    metrics.activeRequests.set(active);
  });
  return (request: Request, response: Response, next: NextFunction): void => {
    const startedAt = performance.now();
    active += 1;
    // Follows every response, whether it is complete or the client has left.
    response.once('close', () => {
      active -= 1;
      metrics.requestDuration.observe(
        {
          http_request_method: METHODS.has(request.method) ? request.method : '_OTHER',
          http_route: routeTemplateOf(request),
          // A client that left before the response has received no status.
          ...(response.headersSent && { http_response_status_code: response.statusCode }),
        },
        (performance.now() - startedAt) / 1000,
      );
    });
    next();
  };
}
