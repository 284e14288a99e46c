import { createHash, timingSafeEqual } from 'node:crypto';

/** The decision about a scrape: `disabled` if the metrics are not served to anyone. */
export type MetricsAccess = 'granted' | 'refused' | 'disabled';

/** The rules of access to the metrics. */
export interface MetricsAccessRules {
  /** The token that a scrape must send, if there is one. */
  readonly token: string | undefined;
  /** True if the metrics are served without a token, unless one is set. */
  readonly isOpen: boolean;
}

/** Explanation for a scrape without the right token. */
export const METRICS_REFUSED = 'Send the METRICS_TOKEN of the server as "Authorization: Bearer <token>".';

/** Explanation for a scrape of a server that does not serve metrics. */
export const METRICS_DISABLED =
  'Metrics are not served: in production they require a token. Set METRICS_TOKEN and restart.';

/** Decides about a scrape by its `Authorization` header. */
export function decideMetricsAccess(
  { token, isOpen }: MetricsAccessRules,
  authorization: string | undefined,
): MetricsAccess {
  if (token === undefined) return isOpen ? 'granted' : 'disabled';
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return given !== undefined && isSameText(given, token) ? 'granted' : 'refused';
}

/** Compares in constant time. The hashes have one length, whatever was sent. */
function isSameText(given: string, expected: string): boolean {
  return timingSafeEqual(hashOf(given), hashOf(expected));
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
