/** An amount in millionths of a US dollar. Integers add up exactly, unlike dollars as floats. */
export type MicroUsd = bigint;

const MICRO_PER_USD = 1_000_000;

/** Smallest amount that can be recorded, in US dollars. */
export const MIN_RECORDED_USD = 1 / MICRO_PER_USD;

/** Converts an amount to US dollars for display; null (no known price) stays null. */
export function toUsd(amount: MicroUsd | null): number | null {
  return amount === null ? null : Number(amount) / MICRO_PER_USD;
}

/** Converts US dollars to an amount, rounded to the nearest millionth. */
export function fromUsd(amount: number): MicroUsd {
  return BigInt(Math.round(amount * MICRO_PER_USD));
}

/**
 * Converts a sum that excludes items without a known price to US dollars. Returns null if it is zero and excludes
 * any, because the actual sum is not zero in that case.
 */
export function toKnownCostUsd(sum: MicroUsd, unpriced: number): number | null {
  return sum === 0n && unpriced > 0 ? null : toUsd(sum);
}
