/** How far back attempts count, in milliseconds, and in how many steps they are forgotten. */
const SPAN_MS = 20_000;
const STEPS = 10;
const STEP_MS = SPAN_MS / STEPS;

interface Step {
  readonly startedAt: number;
  good: number;
  faults: number;
}

/** Counts of the attempts of the last 20 s. Bounded: what is forgotten is forgotten two seconds at a time. */
export class SlidingCounts {
  /** Oldest first. */
  private steps: Step[] = [];

  /** @param now milliseconds of a clock that never goes back */
  constructor(private readonly now: () => number) {}

  get good(): number {
    // What was taken back may have been counted in a step that is forgotten by now.
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

  /** Takes back an attempt that was counted as good and was not. */
  takeBackGood(): void {
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
