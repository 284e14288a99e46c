import cors from 'cors';
import type { NextFunction, Request, Response } from 'express';
import type { CorsOrigins } from '../../config/index.js';

/**
 * Response headers that pages of other origins may read in addition to the CORS-safelisted ones: all that we send.
 */
export const EXPOSED_HEADERS: readonly string[] = [
  'X-Request-ID',
  'Request-Id',
  'X-Process-Time',
  'X-Conversation-ID',
  'X-Message-ID',
  'Idempotent-Replayed',
  'X-Cache',
  'X-Ignored-Params',
  'Content-Disposition',
  'Content-Range',
  'Accept-Ranges',
  'ETag',
  'Retry-After',
  'X-Should-Retry',
  'X-RateLimit-Limit-Requests',
  'X-RateLimit-Remaining-Requests',
  'X-RateLimit-Reset-Requests',
  'X-RateLimit-Limit-Tokens',
  'X-RateLimit-Remaining-Tokens',
  'X-RateLimit-Reset-Tokens',
];

/** Time that a browser may cache a preflight result, in seconds. Chromium caches it no longer than this. */
const PREFLIGHT_MAX_AGE_S = 7200;

/**
 * Allows pages of other origins to use the API. Credentials mode stays off: our tokens are headers that the page must
 * hold itself, and the browser adds no cookie, so even `*` gives a page nothing that its user did not give it.
 *
 * Runs before everything that can reject a request, so that a page can read error responses too. A preflight ends
 * here: it carries no token and needs no database query, and counting it would halve the rate limit of a page.
 */
export function corsMiddleware(origins: CorsOrigins) {
  // `allowedHeaders` is left out so that every requested header is allowed: SDKs add many of their own.
  const options = { exposedHeaders: [...EXPOSED_HEADERS], maxAge: PREFLIGHT_MAX_AGE_S };
  if (origins === '*') return cors({ ...options, origin: '*' });
  const listed: ReadonlySet<string> = new Set(origins);
  const allow = cors({ ...options, origin: true });
  return (request: Request, response: Response, next: NextFunction): void => {
    // Set on responses to other origins too: a cache must not serve them to a page of a listed origin.
    response.vary('Origin');
    if (listed.has(request.headers.origin ?? '')) allow(request, response, next);
    else next();
  };
}
