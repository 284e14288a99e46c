import { describe, expect, it } from '@jest/globals';
import { DELIVERY_LIFETIME_S, MAX_DELIVERY_ATTEMPTS, waitAfterAttempt } from './retry-schedule.js';

/** Returns the waits of a delivery that always fails. */
function waits(random: number): number[] {
  return Array.from(
    { length: MAX_DELIVERY_ATTEMPTS - 1 },
    (_, index) => waitAfterAttempt(index + 1, random) ?? Number.NaN,
  );
}

describe('the attempts at a delivery', () => {
  it('are 8, at growing intervals', () => {
    expect(MAX_DELIVERY_ATTEMPTS).toBe(8);
    expect(waits(0)).toEqual([...waits(0)].sort((one, other) => one - other));
    expect(waitAfterAttempt(MAX_DELIVERY_ATTEMPTS, 0)).toBeUndefined();
  });

  it('are spread over most of 24 hours and end before', () => {
    for (const random of [0, 0.5, 1]) {
      const total = waits(random).reduce((sum, wait) => sum + wait, 0);
      expect(total).toBeGreaterThan(DELIVERY_LIFETIME_S / 2);
      expect(total).toBeLessThan(DELIVERY_LIFETIME_S);
    }
  });

  it('of two deliveries are not at the same times', () => {
    expect(waitAfterAttempt(1, 0.1)).not.toBe(waitAfterAttempt(1, 0.9));
  });
});
