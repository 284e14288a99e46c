import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet, { contentSecurityPolicy, strictTransportSecurity } from 'helmet';

/** What a page may do beyond nothing: each kind of source with where it may come from. */
type Policy = Readonly<Record<string, readonly string[]>>;

/**
 * An answer of the API is no page: opened as one, it loads nothing and stands in no frame. Not among them is
 * `upgrade-insecure-requests`, because the server itself speaks plain HTTP.
 */
const NOTHING: Policy = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Our own scripts, never such as stand in the page or come out of `eval`; both references write styles into it. */
const OWN_PAGE: Policy = {
  ...NOTHING,
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
};

/** The pages that we serve, by path. ReDoc would load a logo from its maker's server, and searches in a worker. */
const PAGES: Readonly<Record<string, Policy>> = {
  '/docs': OWN_PAGE,
  '/redoc': { ...OWN_PAGE, 'worker-src': ["'self'", 'blob:'] },
};

/**
 * The headers that tell browsers what not to do, on every answer. `Cross-Origin-Resource-Policy: same-origin` stays:
 * it is about what pages embed, and says nothing of requests under CORS.
 */
export function secureHeaders(app: NestExpressApplication): void {
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
 * `Strict-Transport-Security` only where the request came by HTTPS (RFC 6797, section 7.2), which a proxy in front has
 * to tell, so `TRUST_PROXY` has to trust it. Not for the subdomains: they need not be ours.
 */
function onlyHttps() {
  const tell = strictTransportSecurity({ includeSubDomains: false });
  return (request: Request, response: Response, next: NextFunction): void => {
    if (request.secure) tell(request, response, next);
    else next();
  };
}
