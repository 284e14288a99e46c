/** Time window of all limits that are stated per minute, in milliseconds. */
export const WINDOW_MS = 60_000;

/**
 * Origin of the buckets' times, in epoch milliseconds. Counted from 1970, doubles resolve a time only to a
 * four-thousandth of a millisecond, and thousands of concurrent requests add that up to a whole one; counted from
 * 2026, they resolve it to a quarter of a millionth. The Lua scripts use the same origin.
 */
export const ORIGIN_MS = Date.UTC(2026, 0, 1);

/**
 * Tolerance for rounding errors of floating-point sums, in units: a full bucket must not be denied its last unit by
 * them.
 */
const TOLERANCE = 0.01;

/** Returns the time in which a bucket drains one unit, in milliseconds. */
export function unitIntervalMs(limit: number): number {
  return WINDOW_MS / limit;
}

/**
 * Returns the wait in milliseconds until a cost fits (GCRA: the generic cell rate algorithm of ITU-T I.371, a leaky
 * bucket stored as a single number); 0 or less if it fits now.
 * @param backlogMs time that the bucket takes to drain
 */
export function waitUntilFitsMs(backlogMs: number, limit: number, cost: number): number {
  return backlogMs + (cost - TOLERANCE) * unitIntervalMs(limit) - WINDOW_MS;
}

/** Returns the number of whole units that would fit now. */
export function remainingUnits(backlogMs: number, limit: number): number {
  return Math.max(0, Math.floor((WINDOW_MS - backlogMs) / unitIntervalMs(limit) + TOLERANCE));
}
