/**
 * UTF-8 allows no surrogates, but programs that store UTF-16 encode each as three bytes: both halves of a pair (CESU-8,
 * https://www.unicode.org/reports/tr26/), or a lone one if they have cut the text within a pair.
 */
const LEAD = 0xed;
const BYTES = 3;

/** U+FFFD in UTF-8, as long as a surrogate. */
const REPLACEMENT = Buffer.from('\ufffd');

/**
 * Returns bytes in which each encoded pair of surrogates is its character in UTF-8, and each lone surrogate is U+FFFD. All
 * other bytes stay as they are. Returns the input itself if it has no surrogates, otherwise a copy.
 */
export function repairSurrogates(bytes: Uint8Array): Uint8Array {
  let at = findSurrogate(bytes, 0);
  if (at === -1) return bytes;
  const repaired = Buffer.alloc(bytes.length);
  let copied = 0;
  let length = 0;
  while (at !== -1) {
    repaired.set(bytes.subarray(copied, at), length);
    length += at - copied;
    const first = surrogateAt(bytes, at);
    const second = isSurrogate(bytes, at + BYTES) ? surrogateAt(bytes, at + BYTES) : 0;
    const isPair = first < 0xdc00 && second >= 0xdc00;
    length += isPair
      ? repaired.write(String.fromCharCode(first, second), length)
      : REPLACEMENT.copy(repaired, length);
    copied = at + (isPair ? 2 : 1) * BYTES;
    at = findSurrogate(bytes, copied);
  }
  repaired.set(bytes.subarray(copied), length);
  return repaired.subarray(0, length + bytes.length - copied);
}

/** Returns the number of bytes at the end that may be the beginning of a surrogate. */
export function countPartialSurrogate(bytes: Uint8Array): number {
  if (bytes.at(-1) === LEAD) return 1;
  return bytes.at(-2) === LEAD && isSecond(bytes.at(-1)) ? 2 : 0;
}

/** Returns the position of the next surrogate, or -1. */
function findSurrogate(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(LEAD, from);
  while (at !== -1 && !isSurrogate(bytes, at)) at = bytes.indexOf(LEAD, at + 1);
  return at;
}

function isSurrogate(bytes: Uint8Array, at: number): boolean {
  const third = bytes[at + 2] ?? 0;
  return bytes[at] === LEAD && isSecond(bytes[at + 1]) && third >= 0x80 && third <= 0xbf;
}

function isSecond(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0xa0 && byte <= 0xbf;
}

function surrogateAt(bytes: Uint8Array, at: number): number {
  const [second = 0, third = 0] = bytes.subarray(at + 1, at + BYTES);
  return 0xd000 | ((second & 0x3f) << 6) | (third & 0x3f);
}
