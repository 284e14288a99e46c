import { TextDecoder } from 'node:util';

/**
 * Half a surrogate pair as three bytes, which UTF-8 does not allow: programs that store UTF-16 write them (CESU-8,
 * https://www.unicode.org/reports/tr26/), and those that cut such a text leave single halves.
 */
const LEAD = 0xed;
const BYTES = 3;

const EMPTY = Buffer.alloc(0);

/** U+FFFD in UTF-8: as long as half a pair. */
const REPLACEMENT = Buffer.from('\ufffd');

/**
 * Returns the text of bytes in UTF-8, in which halves of surrogate pairs may be encoded one by one; null if they are
 * something else. Halves without another one are in the text as they are.
 * @param options.complete false if the bytes may end inside a character
 */
export function decodeUtf8WithHalves(bytes: Uint8Array, { complete = false } = {}): string | null {
  const pieces: string[] = [];
  let start = 0;
  for (let at = findSurrogate(bytes, 0); at !== -1; at = findSurrogate(bytes, start)) {
    if (at > start) {
      const before = decodeStrictly(bytes.subarray(start, at), { complete: true, isBeginning: start === 0 });
      if (before === null) return null;
      pieces.push(before);
    }
    if (at + BYTES > bytes.length) return complete ? null : pieces.join('');
    pieces.push(String.fromCharCode(surrogateAt(bytes, at)));
    start = at + BYTES;
  }
  const rest = decodeStrictly(bytes.subarray(start), { complete, isBeginning: start === 0 });
  return rest === null ? null : pieces.join('') + rest;
}

/** Replaces encoded halves of surrogate pairs in a stream, so that what is left is UTF-8 or is not text. */
export class SurrogateReplacement {
  /** Bytes that may be the beginning of one. */
  private held = EMPTY;

  /** Returns the next bytes; without any, those that are left. */
  replace(bytes?: Uint8Array): Uint8Array {
    const all = this.held.length === 0 ? (bytes ?? this.held) : Buffer.concat([this.held, bytes ?? EMPTY]);
    let replaced: Buffer | undefined;
    let end = all.length;
    for (let at = findSurrogate(all, 0); at !== -1; at = findSurrogate(all, at + BYTES)) {
      if (at + BYTES > all.length) {
        if (bytes !== undefined) end = at;
        break;
      }
      replaced ??= Buffer.from(all);
      REPLACEMENT.copy(replaced, at);
    }
    if (bytes !== undefined && all[end - 1] === LEAD) end -= 1;
    this.held = Buffer.from(all.subarray(end));
    return (replaced ?? all).subarray(0, end);
  }
}

/** Returns the position of the next half of a pair, also of one that the bytes end inside, after its second byte; or -1. */
function findSurrogate(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LEAD, from); at !== -1; at = bytes.indexOf(LEAD, at + 1)) {
    const [second, third] = [bytes[at + 1], bytes[at + 2]];
    if (second === undefined || second < 0xa0 || second > 0xbf) continue;
    if (third === undefined || (third >= 0x80 && third <= 0xbf)) return at;
  }
  return -1;
}

function surrogateAt(bytes: Uint8Array, at: number): number {
  const [second = 0, third = 0] = bytes.subarray(at + 1, at + BYTES);
  return 0xd000 | ((second & 0x3f) << 6) | (third & 0x3f);
}

function decodeStrictly(
  bytes: Uint8Array,
  { complete, isBeginning }: { complete: boolean; isBeginning: boolean },
): string | null {
  try {
    // Only at the beginning is U+FEFF a byte order mark.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: !isBeginning }).decode(bytes, {
      stream: !complete,
    });
  } catch {
    return null;
  }
}
