/** Bytes of the header of an array of one dimension in PostgreSQL's binary format. */
const HEADER_BYTES = 20;

/** Bytes of an element of type `real`: its length and its value. */
const ELEMENT_BYTES = 8;

/** Offset of the value in an element, and its bytes. */
const VALUE_OFFSET = 4;
const VALUE_BYTES = 4;

/** The type of the elements. */
const REAL_OID = 700;

/** Returns a vector with the same direction and length 1; zeros stay as they are. */
export function toUnitVector(vector: readonly number[]): number[] {
  let sum = 0;
  for (const value of vector) sum += value * value;
  const length = Math.sqrt(sum);
  return length > 0 && Number.isFinite(length) ? vector.map((value) => value / length) : [...vector];
}

/** Returns the signs of a vector as a literal of type `varbit`: 1 if the value is positive. */
export function toSignBits(vector: readonly number[]): string {
  let bits = '';
  for (const value of vector) bits += value > 0 ? '1' : '0';
  return bits;
}

/**
 * Returns which values of a vector are large, as a literal of type `varbit`.
 * @param share share of the values that are not, from 0 to 1
 */
export function toMagnitudeBits(vector: readonly number[], share: number): string {
  const sorted = Float64Array.from(vector, Math.abs).sort();
  const threshold = sorted[Math.floor(share * sorted.length)] ?? 0;
  return vector.map((value) => (Math.abs(value) >= threshold ? '1' : '0')).join('');
}

/** Returns a vector as a parameter of type `real[]`: in PostgreSQL's binary format, because the text takes longer to read. */
export function toBinaryVector(vector: readonly number[]): Buffer {
  const binary = Buffer.alloc(HEADER_BYTES + ELEMENT_BYTES * vector.length);
  // One dimension, no nulls, the type, the number of elements, and the index of the first one.
  let offset = 0;
  for (const field of [1, 0, REAL_OID, vector.length, 1]) offset = binary.writeInt32BE(field, offset);
  for (const value of vector) {
    offset = binary.writeInt32BE(VALUE_BYTES, offset);
    offset = binary.writeFloatBE(value, offset);
  }
  return binary;
}

/** Returns a vector as a literal of an array. */
export function toArrayLiteral(values: Iterable<number>): string {
  return `{${Array.from(values).join(',')}}`;
}

/**
 * Returns the dot product of a vector and an array of type `real[]` in PostgreSQL's binary format.
 * @returns NaN if their lengths differ
 */
export function dotProductOfBinary(vector: readonly number[], binary: Buffer): number {
  if (binary.length !== HEADER_BYTES + ELEMENT_BYTES * vector.length) return Number.NaN;
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  let sum = 0;
  let offset = HEADER_BYTES + VALUE_OFFSET;
  for (const value of vector) {
    sum += value * view.getFloat32(offset);
    offset += ELEMENT_BYTES;
  }
  return sum;
}
