import { describe, expect, test } from '@jest/globals';
import {
  dotProductOfBinary,
  toBinaryVector,
  toMagnitudeBits,
  toSignBits,
  toUnitVector,
} from './vector-codec.js';

/** Encodes an array of type `real[]` as PostgreSQL does. */
function encodeArray(values: readonly number[]): Buffer {
  const binary = Buffer.alloc(20 + 8 * values.length);
  for (const [index, value] of [1, 0, 700, values.length, 1].entries()) binary.writeInt32BE(value, 4 * index);
  for (const [index, value] of values.entries()) {
    binary.writeInt32BE(4, 20 + 8 * index);
    binary.writeFloatBE(value, 24 + 8 * index);
  }
  return binary;
}

describe('a vector', () => {
  test('gets length 1 and keeps its direction', () => {
    expect(toUnitVector([3, -4])).toEqual([0.6, -0.8]);
  });

  test('of zeros or without a finite length stays as it is', () => {
    expect(toUnitVector([0, 0])).toEqual([0, 0]);
    expect(toUnitVector([Number.MAX_VALUE, Number.MAX_VALUE])).toEqual([Number.MAX_VALUE, Number.MAX_VALUE]);
    expect(toUnitVector([])).toEqual([]);
  });

  test('has one sign a dimension, and zero counts as not positive', () => {
    expect(toSignBits([0.5, -0.5, 0, 1e-9])).toBe('1001');
  });

  test('has the largest values where its magnitude bits are set, whatever their sign', () => {
    expect(toMagnitudeBits([0.1, -0.9, 0.5], 1 / 3)).toBe('011');
    expect(toMagnitudeBits([0.1, -0.9, 0.5], 2 / 3)).toBe('010');
    expect(toMagnitudeBits([], 1 / 3)).toBe('');
  });

  test('is written as PostgreSQL reads it', () => {
    expect(toBinaryVector([0.5, -1])).toEqual(encodeArray([0.5, -1]));
    expect(toBinaryVector([])).toEqual(encodeArray([]));
  });

  test('is multiplied with a stored one, wherever it is in its buffer', () => {
    const binary = encodeArray([0.5, -0.25, 2]);
    expect(dotProductOfBinary([2, 4, 1], binary)).toBe(2);
    const shifted = Buffer.concat([Buffer.alloc(3), binary]).subarray(3);
    expect(dotProductOfBinary([2, 4, 1], shifted)).toBe(2);
  });

  test('of another length has no product', () => {
    expect(dotProductOfBinary([1, 2], encodeArray([1, 2, 3]))).toBeNaN();
  });
});
