import { setTimeout as delay } from 'node:timers/promises';

/** Reads the time and waits. Tests inject their own. */
export class Clock {
  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now();
  }

  /** Milliseconds of a clock that never goes back. */
  monotonic(): number {
    return performance.now();
  }

  /** Waits, in milliseconds. Ends early, and does not reject, when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }

  /** Calls back after a while, in milliseconds. */
  setTimer(callback: () => void, ms: number): NodeJS.Timeout {
    return setTimeout(callback, ms);
  }
}
