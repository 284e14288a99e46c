import type { Clock } from '../../common/clock.js';
import { PROBE_AFTER_MS } from './circuit.js';
import { Circuits } from './circuits.js';
import { ProviderGate } from './provider-gate.js';

/** The gates of all providers, each created on first use; a common limit applies to their circuits. */
export class ProviderGates {
  private readonly gates = new Map<string, ProviderGate>();
  private readonly circuits: Circuits;

  constructor(
    private readonly options: { readonly maxConcurrency: number; readonly maxQueue: number },
    clock: Clock,
  ) {
    this.circuits = new Circuits({ probeAfterMs: PROBE_AFTER_MS, now: () => clock.monotonic() });
  }

  gateFor(provider: string): ProviderGate {
    const known = this.gates.get(provider);
    if (known !== undefined) return known;
    const { maxConcurrency, maxQueue } = this.options;
    const gate = new ProviderGate({ provider, maxConcurrency, maxQueue, circuits: this.circuits });
    this.gates.set(provider, gate);
    return gate;
  }
}
