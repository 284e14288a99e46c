import { LRUCache } from 'lru-cache';
import { type Admission, Circuit, type CircuitOptions } from './circuit.js';
import type { Verdict } from './verdict.js';

/** Most circuits that are kept. The least recently used go first; what goes is closed and knows nothing any more. */
const MAX_CIRCUITS = 1_000;

/**
 * The circuits of all providers, their models and keys. One exists from the first attempt that was served or failed by
 * no fault of the request, so an unknown name makes none; counting what was served from the start keeps a burst of
 * faults in proportion.
 */
export class Circuits {
  private readonly circuits = new LRUCache<string, Circuit>({ max: MAX_CIRCUITS });

  constructor(private readonly options: CircuitOptions) {}

  /** How long an open circuit rests, in milliseconds. */
  get probeAfterMs(): number {
    return this.options.probeAfterMs;
  }

  /** Number of circuits that are kept. */
  get size(): number {
    return this.circuits.size;
  }

  /** Returns whether an attempt under a key has to be refused now. */
  refuses(key: string): boolean {
    return this.circuits.get(key)?.refuses ?? false;
  }

  /** Lets an attempt through, directly after `refuses` said no. */
  admit(key: string): Admission {
    return this.circuits.get(key)?.admit() ?? { probe: false, since: this.options.now(), begun: false };
  }

  /** Counts an attempt as answered as soon as its answer begins. */
  begin(key: string, admission: Admission): void {
    this.circuitFor(key, 'good')?.begin(admission);
  }

  /** Takes in how an attempt ended. */
  report(key: string, verdict: Verdict, admission: Admission): void {
    this.circuitFor(key, verdict)?.report(verdict, admission);
  }

  /** Ends a probe that was never sent. */
  forgoProbe(key: string): void {
    this.circuits.get(key)?.forgoProbe();
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
