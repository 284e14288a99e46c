import { randomFillSync } from 'node:crypto';
import { v7, validate } from 'uuid';

/** Random bytes of one id. */
const ID_BYTES = 16;

/** Drawn for many ids at once: a draw costs the same for 16 bytes as for 4,096. */
const pool = new Uint8Array(256 * ID_BYTES);
let used = pool.length;

function randomBytes(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.slice(used - ID_BYTES, used);
}

/** A new UUID v7: rising in time, so that it serves as key and as page cursor. */
export function newId(): string {
  return v7({ rng: randomBytes });
}

/** An id that is no greater than any that was made at a time or later, in milliseconds since 1970. */
export function lowestIdAt(time: number): string {
  return v7({ msecs: time, seq: 0, random: new Uint8Array(ID_BYTES) });
}

/** Whether a text is a UUID in its canonical form. */
export function isId(text: string): boolean {
  return validate(text);
}
