import { DASHBOARD_PATH } from './dashboard-cookie.js';
import type { DashboardSessionBody } from './dashboard-session.dto.js';
import type { DashboardSession } from './dashboard-session.service.js';

/** Converts a session to its API representation, without its token: the cookie has that. */
export function toDashboardSessionBody({ expiresAt }: DashboardSession): DashboardSessionBody {
  return { url: DASHBOARD_PATH, expires_at: expiresAt.toISOString() };
}
