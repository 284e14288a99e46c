import { LRUCache } from 'lru-cache';
import { type CircuitAdmission, Circuit, type CircuitOptions } from './circuit.js';
import type { Verdict } from './verdict.js';

/**
 * Maximum number of circuits in memory. The least recently used are evicted first; an evicted circuit counts as
 * closed and loses its history.
 */
const MAX_CIRCUITS = 1_000;

/**
 * The circuits of all providers, their models and keys. A circuit is created by the first attempt that succeeds
 * or fails through no fault of the request, so an unknown name creates none. Counting successes from the start
 * keeps a burst of faults in proportion.
 */
export class Circuits {
  private readonly circuits = new LRUCache<string, Circuit>({ max: MAX_CIRCUITS });

  constructor(private readonly options: CircuitOptions) {}

  /** Time that an open circuit waits before a probe, in milliseconds. */
  get probeAfterMs(): number {
    return this.options.probeAfterMs;
  }

  /** Number of circuits in memory. */
  get size(): number {
    return this.circuits.size;
  }

  /** Returns the state of a circuit; one that is not in memory is closed. */
  stateOf(key: string): Circuit['stateName'] {
    return this.circuits.peek(key)?.stateName ?? 'closed';
  }

  /** Returns the keys of the circuits that are not closed. */
  openKeys(): readonly string[] {
    return [...this.circuits.entries()].flatMap(([key, { stateName }]) =>
      stateName === 'closed' ? [] : [key],
    );
  }

  /** Returns true if an attempt with this key must be refused now. */
  refuses(key: string): boolean {
    return this.circuits.get(key)?.refuses ?? false;
  }

  /** Admits an attempt. Must be called directly after `refuses` returned false. */
  admit(key: string): CircuitAdmission {
    return this.circuits.get(key)?.admit() ?? { probe: false, since: this.options.now(), begun: false };
  }

  /** Counts an attempt as good as soon as its answer begins. */
  begin(key: string, admission: CircuitAdmission): void {
    this.circuitFor(key, 'good')?.begin(admission);
  }

  /** Reports the outcome of an attempt. */
  report(key: string, verdict: Verdict, admission: CircuitAdmission): void {
    this.circuitFor(key, verdict)?.report(verdict, admission);
  }

  /** Cancels a probe that was never sent. */
  forgoProbe(key: string): void {
    this.circuits.get(key)?.cancelProbe();
  }

  private circuitFor(key: string, verdict: Verdict): Circuit | undefined {
    const known = this.circuits.get(key);
    const counts = verdict === 'good' || verdict === 'fault';
    if (known !== undefined || !counts) return known;
    const circuit = new Circuit(this.options);
    this.circuits.set(key, circuit);
    return circuit;
  }
}
