import { createHash, randomBytes } from 'node:crypto';

/** Lifetime of a refresh token, in days. Each exchange starts a new one. */
export const REFRESH_TOKEN_DAYS = 30;

/**
 * Time after an exchange during which the same token is accepted again, in seconds: a client may send a request
 * twice.
 */
export const REUSE_GRACE_SECONDS = 10;

/** Generates a refresh token: 256 random bits with a prefix that identifies leaked tokens. */
export function newRefreshToken(): string {
  return `prt_${randomBytes(32).toString('base64url')}`;
}

/** Returns the stored form of a token. It has too many random bits to need a slow hash. */
export function hashToken(token: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(token).digest());
}
