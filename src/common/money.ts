/** An amount in millionths of a US dollar. Whole numbers add up; dollars as floats do not. */
export type MicroUsd = bigint;

const MICRO_PER_USD = 1_000_000;

/** The least amount that is counted, in US dollars. */
export const SMALLEST_USD = 1 / MICRO_PER_USD;

/** US dollars for showing; null (no known price) stays null. */
export function toUsd(amount: MicroUsd | null): number | null {
  return amount === null ? null : Number(amount) / MICRO_PER_USD;
}

/** US dollars as they were written, to the nearest millionth. */
export function fromUsd(amount: number): MicroUsd {
  return BigInt(Math.round(amount * MICRO_PER_USD));
}

/**
 * A sum that leaves out what has no known price, in US dollars: null where something was left out and nothing is left,
 * because the sum is not nothing then.
 */
export function toKnownUsd(sum: MicroUsd, unpriced: number): number | null {
  return sum === 0n && unpriced > 0 ? null : toUsd(sum);
}
