/**
 * Length of the window in which attempts count, in milliseconds, and the number of steps in which it slides.
 */
const SPAN_MS = 20_000;
const STEPS = 10;
const STEP_MS = SPAN_MS / STEPS;

interface Step {
  readonly startedAt: number;
  good: number;
  faults: number;
}

/**
 * Counts the attempts of the last 20 s. Memory is limited, because the window slides in steps of two seconds.
 */
export class SlidingCounts {
  /** Oldest first. */
  private steps: Step[] = [];

  /** @param now returns milliseconds of a monotonic clock */
  constructor(private readonly now: () => number) {}

  get good(): number {
    // A success that was taken back may belong to a step that has already expired.
    return Math.max(
      0,
      this.recent().reduce((sum, step) => sum + step.good, 0),
    );
  }

  get faults(): number {
    return this.recent().reduce((sum, step) => sum + step.faults, 0);
  }

  addGood(): void {
    this.current().good += 1;
  }

  /** Subtracts an attempt that was counted as good but failed later. */
  subtractSuccess(): void {
    this.current().good -= 1;
  }

  addFault(): void {
    this.current().faults += 1;
  }

  clear(): void {
    this.steps = [];
  }

  private current(): Step {
    const last = this.steps.at(-1);
    const now = this.now();
    if (last !== undefined && now - last.startedAt < STEP_MS) return last;
    const step = { startedAt: now, good: 0, faults: 0 };
    this.steps = [...this.recent(), step];
    return step;
  }

  private recent(): readonly Step[] {
    const oldest = this.now() - SPAN_MS;
    return this.steps.filter(({ startedAt }) => startedAt > oldest);
  }
}
