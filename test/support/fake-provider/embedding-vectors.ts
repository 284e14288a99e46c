/**
 * Returns a vector of length 1 that depends only on the words of the text, so texts with common words are
 * close to each other. Its numbers fit float32 exactly.
 */
export function unitVector(text: string, dimensions: number): number[] {
  const sum = new Float64Array(dimensions);
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text];
  for (const word of words) {
    const next = randomNumbers(hash(word));
    for (const [index, value] of sum.entries()) sum[index] = value + next();
  }
  const length = Math.hypot(...sum);
  return Array.from(sum, (value) => Math.fround(value / length));
}

/** Encodes a vector as base64 of little-endian float32, regardless of the machine's byte order. */
export function encodeLittleEndian(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}

/** Computes the FNV-1a hash with 32 bits. */
function hash(word: string): number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(word)) state = Math.imul(state ^ byte, 0x01000193);
  return state >>> 0;
}

/** Mulberry32: reproducible numbers between -1 and 1. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
