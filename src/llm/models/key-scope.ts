import { hash } from 'node:crypto';

/**
 * Returns a cache key for the credentials of a call: empty for the server's own key, else a digest, so that no
 * user's key stays in memory after its call.
 */
export function keyScopeOf(apiKey: string | undefined): string {
  return apiKey === undefined ? '' : hash('sha256', apiKey, 'base64url');
}
