import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
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
 * Sets the security headers on every response. `Cross-Origin-Resource-Policy: same-origin` stays: it restricts
 * embedding in pages and does not affect CORS requests.
 */
export function applySecurityHeaders(app: NestExpressApplication): void {
  app.use(
    helmet({
      contentSecurityPolicy: toOptions(NOTHING),
      strictTransportSecurity: false,
      xFrameOptions: { action: 'deny' },
    }),
  );
  app.use(onlyHttps());
  for (const [path, policy] of Object.entries(PAGES)) app.use(path, contentSecurityPolicy(toOptions(policy)));
}

function toOptions(directives: Policy) {
  return { useDefaults: false, directives };
}

/**
 * Sends `Strict-Transport-Security` only if the request came over HTTPS (RFC 6797, section 7.2). A proxy in front
 * must report that, so `TRUST_PROXY` must trust it. Subdomains are excluded because they may not be ours.
 */
function onlyHttps() {
  const tell = strictTransportSecurity({ includeSubDomains: false });
  return (request: Request, response: Response, next: NextFunction): void => {
    if (request.secure) tell(request, response, next);
    else next();
  };
}
