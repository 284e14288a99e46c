import { SlidingCounts } from './sliding-counts.js';
import type { Verdict } from './verdict.js';

/** How long a circuit stays open before a request may probe, in milliseconds. */
export const PROBE_AFTER_MS = 10_000;

/** Fewest attempts that a circuit judges by. */
const MIN_ATTEMPTS = 5;

/** Opens above this share of faults among the attempts. */
const MAX_FAULT_SHARE = 0.5;

/** Whether an attempt is one of many, or the one that an open circuit lets through to see how things are. */
export interface Admission {
  readonly probe: boolean;
  /** When the attempt began, on the circuit's clock. */
  readonly since: number;
  /** True once the attempt counts as answered, because its answer has begun. */
  begun: boolean;
}

export interface CircuitOptions {
  readonly probeAfterMs: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

type State =
  | { readonly name: 'closed'; readonly since: number }
  | { readonly name: 'open'; readonly since: number }
  | { readonly name: 'probing'; readonly since: number };

/** Opens when most attempts of the last 20 s have failed, and closes when a later one is answered. */
export class Circuit {
  private readonly counts: SlidingCounts;
  private state: State = { name: 'closed', since: Number.NEGATIVE_INFINITY };

  constructor(private readonly options: CircuitOptions) {
    this.counts = new SlidingCounts(options.now);
  }

  /** True while nobody is let through: for a while after it opened, and after each probe began, which nobody waits for. */
  get refuses(): boolean {
    const { state } = this;
    return state.name !== 'closed' && this.options.now() - state.since < this.options.probeAfterMs;
  }

  /**
   * Lets an attempt through. After an opened circuit has rested the first one is its probe, and where that takes long
   * there is another one after each such rest. Nothing is awaited between `refuses` and this, so that there are never two
   * at once.
   */
  admit(): Admission {
    const since = this.options.now();
    const probe = this.state.name !== 'closed';
    if (probe) this.state = { name: 'probing', since };
    return { probe, since, begun: false };
  }

  /**
   * Counts an attempt as answered as soon as its answer begins. Otherwise a burst of answers that break off would be
   * judged without the longer ones that began beside them and are still being written.
   */
  begin(admission: Admission): void {
    const { state } = this;
    if (admission.begun || state.name !== 'closed' || admission.since < state.since) return;
    admission.begun = true;
    this.counts.addGood();
  }

  /** Takes in how an attempt ended. Called once an attempt. */
  report(verdict: Verdict, { probe, since, begun }: Admission): void {
    const { state } = this;
    if (probe && state.name === 'probing') {
      this.conclude(verdict);
      return;
    }
    // What began before the circuit opened says nothing of what came back after it.
    if (state.name !== 'closed' || since < state.since) return;
    if (verdict === 'good' && !begun) this.counts.addGood();
    if (verdict !== 'fault') return;
    if (begun) this.counts.takeBackGood();
    this.counts.addFault();
    const { good, faults } = this.counts;
    const attempts = good + faults;
    if (attempts >= MIN_ATTEMPTS && faults > attempts * MAX_FAULT_SHARE) this.open();
  }

  /** Ends a probe that was never sent, so that the next request is one. */
  forgoProbe(): void {
    if (this.state.name === 'probing') this.state = { name: 'open', since: Number.NEGATIVE_INFINITY };
  }

  private conclude(verdict: Verdict): void {
    // A probe that nobody waited for says nothing, and what was down counts as down until something else is known.
    if (verdict === 'fault' || verdict === 'silent') {
      this.open();
      return;
    }
    this.counts.clear();
    this.state = { name: 'closed', since: this.options.now() };
  }

  private open(): void {
    this.state = { name: 'open', since: this.options.now() };
  }
}
