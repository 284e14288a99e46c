import { setImmediate } from 'node:timers/promises';
import { Clock } from '../../src/common/clock.js';

/** How many times faster timers run in tests: they only collect usage records for one statement. */
const TIMER_HASTE = 25;

/** The clock of applications in tests. It tells the real time, but usage records are stored sooner. */
export class TestClock extends Clock {
  override setTimer(callback: () => void, ms: number): NodeJS.Timeout {
    return super.setTimer(callback, ms / TIMER_HASTE);
  }
}

/** A clock that moves on only when told to, and whose waits are recorded instead of waited for. */
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
