import { createHash, randomBytes } from 'node:crypto';

/** How long a refresh token is valid, in days. Each exchange begins anew. */
export const REFRESH_TOKEN_DAYS = 30;

/** After an exchange the same token is taken again for so long, in seconds: a client's honest double send. */
export const REUSE_GRACE_SECONDS = 10;

/** A new refresh token: 256 random bits, behind a word by which one that leaked is known for what it is. */
export function newRefreshToken(): string {
  return `prt_${randomBytes(32).toString('base64url')}`;
}

/** What is stored of a token. It has too many random bits for a slow hash to add anything. */
export function hashToken(token: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(token).digest());
}
