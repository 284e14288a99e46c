import { hash } from 'node:crypto';

/**
 * Returns a name for the credentials of a call, for what is remembered of them: empty for the server's own key, else a
 * digest, so that no key of a user outlives its call in memory.
 */
export function keyScopeOf(apiKey: string | undefined): string {
  return apiKey === undefined ? '' : hash('sha256', apiKey, 'base64url');
}
