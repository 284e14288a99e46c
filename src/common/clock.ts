import { setTimeout as delay } from 'node:timers/promises';

/** The time and timers. Tests inject their own. */
export class Clock {
  /** Returns the time in milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }

  /** Returns the time of a monotonic clock, in milliseconds. */
  monotonic(): number {
    return performance.now();
  }

  /** Waits a number of milliseconds. Resolves early, without rejecting, when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }

  /** Calls back after a number of milliseconds. */
  setTimer(callback: () => void, ms: number): NodeJS.Timeout {
    return setTimeout(callback, ms);
  }
}
