import { randomFillSync } from 'node:crypto';
import { v7, validate } from 'uuid';

/** Number of random bytes in an id. */
const ID_BYTES = 16;

/** Filled for many ids at once: generating 4,096 bytes costs as much as 16. */
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

/** Returns a new UUID v7. Ids increase over time, so they serve as keys and as page cursors. */
export function newId(): string {
  return v7({ rng: randomBytes });
}

/** Returns an id that is not greater than any id created at or after a time, in milliseconds since 1970. */
export function minIdAt(time: number): string {
  return v7({ msecs: time, seq: 0, random: new Uint8Array(ID_BYTES) });
}

/** Returns true if a text is a UUID in canonical form. */
export function isId(text: string): boolean {
  return validate(text);
}
