import { createHash } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Returns a deterministic alphanumeric hash of a text, with at most 32 characters. */
export function alphanumericDigest(text: string, length: number): string {
  const bytes = createHash('sha256').update(text).digest();
  // 256 is not a multiple of 62, so the characters are not equally likely. That would matter for passwords, but not
  // for names.
  return Array.from(bytes.subarray(0, length), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
