import type { Request } from 'express';

/** Stands for the route of all requests that ended before they reached one. */
export const UNMATCHED_ROUTE = 'unmatched';

/**
 * Returns the template of the route that a request has reached, such as `/api/v1/conversations/:id`. It is part of our
 * code, so that it may be logged and counted, which a path may not: callers choose paths.
 */
export function routeTemplateOf(request: Request): string {
  const route: unknown = request.route;
  if (typeof route !== 'object' || route === null || !('path' in route)) return UNMATCHED_ROUTE;
  return typeof route.path === 'string' ? route.path : UNMATCHED_ROUTE;
}
