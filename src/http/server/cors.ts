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
 * Lets the pages of other origins use the API. Without credentials mode: our tokens are headers that a page has to hold
 * itself, and no cookie goes along by itself, so that not even `*` gives a page anything that its user did not give it.
 *
 * It stands before everything that refuses, so that a page can read refusals too. A preflight ends here: it carries no
 * token and asks nothing of the database, and counting it would halve the limit of a page.
 */
export function crossOrigin(origins: CorsOrigins) {
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
