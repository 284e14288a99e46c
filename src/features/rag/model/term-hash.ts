/** Seed of the hash of index ids. */
const SEED = 0x9747b28c;

let lastIndexId = '';
let lastSeed = 0;

/**
 * Hashes a term with the id of its index, so that the same term of another index is another value: a search reads the
 * rows of its own indexes only. Two terms of one index share a value about once in 2³² pairs. Returns an int32.
 */
export function hashTerm(indexId: string, term: string): number {
  if (indexId !== lastIndexId) {
    lastSeed = murmur3(indexId, SEED);
    lastIndexId = indexId;
  }
  return murmur3(term, lastSeed);
}

/** MurmurHash3 (32 bits) of the UTF-16 units of a text. */
function murmur3(text: string, seed: number): number {
  let hash = seed;
  const { length } = text;
  for (let index = 0; index < length; index += 2) {
    let block = text.charCodeAt(index) | ((index + 1 < length ? text.charCodeAt(index + 1) : 0) << 16);
    block = Math.imul(block, 0xcc9e2d51);
    block = (block << 15) | (block >>> 17);
    hash ^= Math.imul(block, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= length * 2;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
