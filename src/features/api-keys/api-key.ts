import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** By this word a key is told from an access token, and found by scanners where it does not belong. */
const WORD = 'pk_';

/** Characters that hold 256 random bits, and such that hold 32 bits of checksum, to base 62. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;

/** How much of a key its owner is shown later on. */
const PREFIX_LENGTH = WORD.length + 8;

const SHAPE = new RegExp(`^${WORD}[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** A new key: `pk_`, 256 random bits to base 62, CRC-32 of all that. */
export function newApiKey(): string {
  const body = WORD + toBase62(BigInt(`0x${randomBytes(32).toString('hex')}`), SECRET_LENGTH);
  return body + checksumOf(body);
}

/** Whether a credential is meant to be a key, well written or not. */
export function looksLikeApiKey(credential: string): boolean {
  return credential.startsWith(WORD);
}

/** Whether a key can be one that we made. One that was mistyped or cut off cannot, but for one in four billion. */
export function isWellWritten(key: string): boolean {
  if (!SHAPE.test(key)) return false;
  return checksumOf(key.slice(0, -CHECKSUM_LENGTH)) === key.slice(-CHECKSUM_LENGTH);
}

/** The part of a key that may be shown. */
export function prefixOf(key: string): string {
  return key.slice(0, PREFIX_LENGTH);
}

/** What is stored of a key. It has too many random bits for a slow hash to add anything. */
export function hashApiKey(key: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(key).digest());
}

function checksumOf(text: string): string {
  return toBase62(BigInt(crc32(text)), CHECKSUM_LENGTH);
}

function toBase62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text;
  return text;
}
