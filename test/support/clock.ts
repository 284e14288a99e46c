import { setImmediate } from 'node:timers/promises';
import { Clock } from '../../src/common/clock.js';
import { ORPHAN_AGE_MS } from '../../src/features/files/file-sweep.js';

/** Factor by which timers run faster in tests. They are used only to batch usage records. */
const TIMER_HASTE = 25;

/** Default clock of applications in tests: real time, but usage records are stored sooner. */
export class TestClock extends Clock {
  override setTimer(callback: () => void, ms: number): NodeJS.Timeout {
    return super.setTimer(callback, ms / TIMER_HASTE);
  }
}

/** A clock that a test advances, and that records waits instead of waiting. */
export class ManualClock extends TestClock {
  /** The waits since the last reset, in milliseconds. */
  readonly waits: number[] = [];
  private ahead = 0;
  private holds = false;

  override now(): number {
    return super.now() + this.ahead;
  }

  override monotonic(): number {
    return super.monotonic() + this.ahead;
  }

  override async wait(ms: number, signal: AbortSignal): Promise<void> {
    this.waits.push(ms);
    // Far longer than any test, so that only the signal ends it.
    if (this.holds) await super.wait(3_600_000, signal);
    else await setImmediate();
  }

  /** Moves the time forward, in milliseconds. */
  advance(ms: number): void {
    this.ahead += ms;
  }

  /** Makes every wait from now on end only when its signal aborts. */
  holdWaits(): void {
    this.holds = true;
  }

  /** Clears the recorded waits, and holds none any longer. */
  reset(): void {
    this.waits.length = 0;
    this.holds = false;
  }
}

/** A clock by which everything that was stored until now is old enough for the sweeps of stored files. */
export class LaterClock extends Clock {
  override now(): number {
    return super.now() + ORPHAN_AGE_MS + 60_000;
  }
}
