/**
 * Waits between the attempts at a delivery, in seconds: 8 attempts. With the longest jitter they take 23.7 hours, so
 * that the last one is within 24 hours of the event.
 */
const WAITS_S: readonly number[] = [5, 300, 1_800, 7_200, 14_400, 21_600, 28_800];

/** Part of a wait that is added at random, so that deliveries which failed together are not repeated together. */
const MAX_JITTER = 0.15;

/** Maximum number of attempts at a delivery. */
export const MAX_DELIVERY_ATTEMPTS = WAITS_S.length + 1;

/** Time after which a delivery is given up, in seconds. */
export const DELIVERY_LIFETIME_S = 86_400;

/**
 * Returns the wait after a failed attempt, in seconds; undefined if it was the last one.
 * @param attempts number of attempts so far
 * @param random number from 0 to 1
 */
export function waitAfterAttempt(attempts: number, random: number): number | undefined {
  const wait = WAITS_S[attempts - 1];
  return wait === undefined ? undefined : wait * (1 + MAX_JITTER * random);
}
