import { createHash } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A hash of a text in letters and digits, the same for the same text. At most 32 characters. */
export function alphanumericDigest(text: string, length: number): string {
  const bytes = createHash('sha256').update(text).digest();
  // Sixty-two characters do not divide 256 evenly, which matters for passwords and not for names.
  return Array.from(bytes.subarray(0, length), (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
