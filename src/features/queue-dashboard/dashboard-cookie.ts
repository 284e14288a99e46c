import type { Request, Response } from 'express';
import { DASHBOARD_SESSION_SECONDS } from './dashboard-session.service.js';

/** Path of the dashboard. The browser sends the cookie there only. */
export const DASHBOARD_PATH = '/admin/queues';

const COOKIE = 'parley_queues';

/**
 * Gives the browser the token of a session. Scripts cannot read it, and no other site can make the browser send it. Over
 * HTTPS, which a proxy that `TRUST_PROXY` trusts may report, it is never sent in clear text.
 */
export function setDashboardCookie(response: Response, token: string): void {
  response.cookie(COOKIE, token, {
    path: DASHBOARD_PATH,
    httpOnly: true,
    sameSite: 'strict',
    secure: response.req.secure,
    maxAge: DASHBOARD_SESSION_SECONDS * 1000,
  });
}

/** Returns the token that the browser sent; undefined if there is none that may be one. */
export function readDashboardCookie({ headers }: Request): string | undefined {
  return /(?:^|; *)parley_queues=([\w.-]+)(?:;|$)/.exec(headers.cookie ?? '')?.[1];
}
