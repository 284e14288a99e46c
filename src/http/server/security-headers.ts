import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet, { contentSecurityPolicy, strictTransportSecurity } from 'helmet';

/** The directives of a content security policy, each with its allowed sources. */
type Policy = Readonly<Record<string, readonly string[]>>;

/**
 * An API response is not a page: if opened as one, it loads nothing and cannot be framed. `upgrade-insecure-requests`
 * is left out because the server itself speaks plain HTTP.
 */
const NOTHING: Policy = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Allows our own script files, but no inline scripts and no `eval`. All pages use inline styles. */
const OWN_PAGE: Policy = {
  ...NOTHING,
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
};

/**
 * Content security policy of each HTML page that we serve, by path. ReDoc searches in a worker; its vendor's logo stays
 * blocked. The queue dashboard resolves its links against a `base` element.
 */
const PAGES: Readonly<Record<string, Policy>> = {
  '/docs': OWN_PAGE,
  '/admin/queues': { ...OWN_PAGE, 'base-uri': ["'self'"] },
  '/redoc': { ...OWN_PAGE, 'worker-src': ["'self'", 'blob:'] },
};

/**
 * Returns middleware that sets the security headers of every response. `Cross-Origin-Resource-Policy: same-origin` stays:
 * it restricts embedding in pages and does not affect CORS requests. `Strict-Transport-Security` is only sent if the
 * request came over HTTPS (RFC 6797, section 7.2). A proxy in front must report that, so `TRUST_PROXY` must trust it.
 * Subdomains are excluded because they may not be ours.
 */
export function securityHeaders(): RequestHandler {
  // None of them depends on the request, and helmet has a middleware for each.
  const commonHeaders = recordHeaders(
    helmet({
      contentSecurityPolicy: toOptions(NOTHING),
      strictTransportSecurity: false,
      xFrameOptions: { action: 'deny' },
    }),
  );
  const httpsHeaders = recordHeaders(strictTransportSecurity({ includeSubDomains: false }));
  const pageHeaders = Object.entries(PAGES).map(([path, policy]) => ({
    path,
    headers: recordHeaders(contentSecurityPolicy(toOptions(policy))),
  }));
  return (request, response, next) => {
    response.setHeaders(commonHeaders);
    if (request.secure) response.setHeaders(httpsHeaders);
    for (const { path, headers } of pageHeaders)
      if (isBelow(path, request.path)) response.setHeaders(headers);
    next();
  };
}

/** Returns true for a path and those below it, as Express matches them: in any case of letters. */
function isBelow(parent: string, path: string): boolean {
  const rest = path.charAt(parent.length);
  return (rest === '' || rest === '/') && path.slice(0, parent.length).toLowerCase() === parent;
}

function toOptions(directives: Policy) {
  return { useDefaults: false, directives };
}

/** Returns the headers that middleware of helmet sets on a response. */
function recordHeaders(
  middleware: (request: IncomingMessage, response: ServerResponse, next: () => void) => void,
): Map<string, string> {
  const headers = new Map<string, string>();
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  response.setHeader = (name, value) => {
    headers.set(name, String(value));
    return response;
  };
  middleware(request, response, () => undefined);
  return headers;
}
