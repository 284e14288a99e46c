import { describe, expect, it } from '@jest/globals';
import { toUsd } from './money.js';

describe('toUsd', () => {
  it('converts micro-dollars to dollars, and an unknown price to null', () => {
    expect(toUsd(1_234_567n)).toBe(1.234567);
    expect(toUsd(0n)).toBe(0);
    expect(toUsd(null)).toBeNull();
  });
});
