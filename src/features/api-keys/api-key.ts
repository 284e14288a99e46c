import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Prefix that distinguishes a key from an access token, and lets secret scanners find leaked keys. */
const KEY_PREFIX = 'pk_';

/** Numbers of base62 characters that encode 256 random bits, and 32 bits of checksum. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;

/** Length of the part of a key that its owner can still see later. */
const PREFIX_LENGTH = KEY_PREFIX.length + 8;

const SHAPE = new RegExp(`^${KEY_PREFIX}[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** Generates a key: `pk_`, 256 random bits in base62, CRC-32 of both. */
export function newApiKey(): string {
  const body = KEY_PREFIX + toBase62(BigInt(`0x${randomBytes(32).toString('hex')}`), SECRET_LENGTH);
  return body + checksumOf(body);
}

/** Returns true if a credential has the prefix of a key, well-formed or not. */
export function looksLikeApiKey(credential: string): boolean {
  return credential.startsWith(KEY_PREFIX);
}

/** Returns true if a key is well-formed. A mistyped or truncated key is detected, except for one in four billion. */
export function isWellFormedApiKey(key: string): boolean {
  if (!SHAPE.test(key)) return false;
  return checksumOf(key.slice(0, -CHECKSUM_LENGTH)) === key.slice(-CHECKSUM_LENGTH);
}

/** Returns the part of a key that may be shown. */
export function visiblePrefix(key: string): string {
  return key.slice(0, PREFIX_LENGTH);
}

/** Returns the stored form of a key. It has too many random bits to need a slow hash. */
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
