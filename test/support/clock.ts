import { setImmediate } from 'node:timers/promises';
import { Clock } from '../../src/common/clock.js';

/** Factor by which timers run faster in tests: they only collect usage records for one statement. */
const TIMER_HASTE = 25;

/** Default clock of applications in tests: the real time, but usage records are stored sooner. */
export class TestClock extends Clock {
  override setTimer(callback: () => void, ms: number): NodeJS.Timeout {
    return super.setTimer(callback, ms / TIMER_HASTE);
  }
}

/** A clock that a test advances, and whose waits are recorded instead of waited for. */
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

  /** From now on a wait ends only when its signal aborts. */
  holdWaits(): void {
    this.holds = true;
  }

  /** Forgets the waits, and holds none any more. */
  reset(): void {
    this.waits.length = 0;
    this.holds = false;
  }
}
