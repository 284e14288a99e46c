import { createHash } from 'node:crypto';
import type { UploadIdentity } from './upload.repository.js';

/** Properties by which the files of two uploads differ. */
interface UploadFacts {
  readonly name: string;
  readonly mediaType: string;
  readonly hash: Uint8Array;
  readonly purpose: string;
  readonly expiresAfterS?: number | undefined;
}

/** Returns the identity of an upload for its idempotency key. */
export function fingerprintUpload(file: UploadFacts): Uint8Array<ArrayBuffer> {
  const { name, mediaType, hash, purpose, expiresAfterS } = file;
  const fields = [name, mediaType, Buffer.from(hash).toString('hex'), purpose, expiresAfterS ?? null];
  return new Uint8Array(createHash('sha256').update(JSON.stringify(fields)).digest());
}

/** Returns the identity of an upload without a key of the client. No client's key has its route. */
export function toKeptIdentity(route: string, file: UploadFacts): UploadIdentity {
  const fingerprint = fingerprintUpload(file);
  return { route: `${route}, kept`, key: Buffer.from(fingerprint).toString('hex'), fingerprint };
}
