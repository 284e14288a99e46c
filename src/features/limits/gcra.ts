/** The window of all limits that are told a minute. */
export const WINDOW_MS = 60_000;

/**
 * The moment that the buckets count from, in epoch milliseconds. Doubles tell a moment since 1970 to a four-thousandth
 * of a millisecond only, and thousands of requests at once add that up to a whole one; since 2026 they tell it to
 * a quarter of a millionth. The Lua scripts have the same.
 */
export const ORIGIN_MS = Date.UTC(2026, 0, 1);

/** What sums of floats may be off by, in units: a full bucket must not be refused its last one for that. */
const TOLERANCE = 0.01;

/** How fast a bucket drains: the time that one unit takes. */
export function intervalOf(limit: number): number {
  return WINDOW_MS / limit;
}

/**
 * How long a cost must wait to fit (GCRA: the generic cell rate algorithm of ITU-T I.371, a leaky bucket as one
 * number). 0 or less where it fits now.
 * @param backlogMs how long the bucket takes to drain
 */
export function waitMs(backlogMs: number, limit: number, cost: number): number {
  return backlogMs + (cost - TOLERANCE) * intervalOf(limit) - WINDOW_MS;
}

/** Whole units that would fit now. */
export function remainingIn(backlogMs: number, limit: number): number {
  return Math.max(0, Math.floor((WINDOW_MS - backlogMs) / intervalOf(limit) + TOLERANCE));
}
