import type { MicroUsd } from '../common/money.js';

/** What an attempt costs. Only the demo's price is known, and it is nothing; an unknown price is null and never 0. */
export function priceOf(provider: string): MicroUsd | null {
  return provider === 'demo' ? 0n : null;
}
