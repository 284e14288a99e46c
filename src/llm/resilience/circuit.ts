import { SlidingCounts } from './sliding-counts.js';
import type { Verdict } from './verdict.js';

/** Time that a circuit stays open before it admits a probe, in milliseconds. */
export const PROBE_AFTER_MS = 10_000;

/** Minimum number of attempts before the circuit can open. */
const MIN_ATTEMPTS = 5;

/** The circuit opens above this share of faults among the attempts. */
const MAX_FAULT_SHARE = 0.5;

/** An admitted attempt. It is either a regular one or the probe of an open circuit. */
export interface CircuitAdmission {
  readonly probe: boolean;
  /** Start of the attempt, on the circuit's clock. */
  readonly since: number;
  /** True once the attempt counts as good, because its answer has begun. */
  begun: boolean;
}

export interface CircuitOptions {
  readonly probeAfterMs: number;
  /** Returns milliseconds of a monotonic clock. */
  readonly now: () => number;
}

type State =
  | { readonly name: 'closed'; readonly since: number }
  | { readonly name: 'open'; readonly since: number }
  | { readonly name: 'probing'; readonly since: number };

/** Names of the states of a circuit. */
export const CIRCUIT_STATES = ['closed', 'open', 'probing'] as const satisfies readonly State['name'][];

/**
 * A circuit breaker. Opens when most attempts of the last 20 s have failed, and closes when a later one is
 * answered.
 */
export class Circuit {
  private readonly counts: SlidingCounts;
  private state: State = { name: 'closed', since: Number.NEGATIVE_INFINITY };

  constructor(private readonly options: CircuitOptions) {
    this.counts = new SlidingCounts(options.now);
  }

  /** Name of the current state. An open circuit stays `open` until an attempt probes it. */
  get stateName(): State['name'] {
    return this.state.name;
  }

  /**
   * True while no attempt is admitted: for a while after the circuit opened, and after each probe began. Nobody
   * waits for the result of a probe.
   */
  get refuses(): boolean {
    const { state } = this;
    return state.name !== 'closed' && this.options.now() - state.since < this.options.probeAfterMs;
  }

  /**
   * Admits an attempt. The first one after the open period is the probe; if it takes long, another probe is
   * admitted after each further period. There must be no await between `refuses` and this call, so that there
   * are never two probes at once.
   */
  admit(): CircuitAdmission {
    const since = this.options.now();
    const probe = this.state.name !== 'closed';
    if (probe) this.state = { name: 'probing', since };
    return { probe, since, begun: false };
  }

  /**
   * Counts an attempt as good as soon as its answer begins. Otherwise a burst of broken answers would be judged
   * without the longer answers that began at the same time and are still in progress.
   */
  begin(admission: CircuitAdmission): void {
    const { state } = this;
    if (admission.begun || state.name !== 'closed' || admission.since < state.since) return;
    admission.begun = true;
    this.counts.addGood();
  }

  /** Reports the outcome of an attempt. Call it once per attempt. */
  report(verdict: Verdict, { probe, since, begun }: CircuitAdmission): void {
    const { state } = this;
    if (probe && state.name === 'probing') {
      this.conclude(verdict);
      return;
    }
    // An attempt that began before the circuit opened says nothing about the recovery.
    if (state.name !== 'closed' || since < state.since) return;
    if (verdict === 'good' && !begun) this.counts.addGood();
    if (verdict !== 'fault') return;
    if (begun) this.counts.subtractSuccess();
    this.counts.addFault();
    const { good, faults } = this.counts;
    const attempts = good + faults;
    if (attempts >= MIN_ATTEMPTS && faults > attempts * MAX_FAULT_SHARE) this.open();
  }

  /** Cancels a probe that was never sent, so that the next request becomes the probe. */
  cancelProbe(): void {
    if (this.state.name === 'probing') this.state = { name: 'open', since: Number.NEGATIVE_INFINITY };
  }

  private conclude(verdict: Verdict): void {
    // A cancelled probe says nothing, and the circuit stays open until it has evidence to the contrary.
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
