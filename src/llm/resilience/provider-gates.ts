import type { Clock } from '../../common/clock.js';
import { PROBE_AFTER_MS } from './circuit.js';
import { Circuits } from './circuits.js';
import { ProviderGate } from './provider-gate.js';

/** One gate a provider, made when it is first asked; their circuits are bounded together. */
export class ProviderGates {
  private readonly gates = new Map<string, ProviderGate>();
  private readonly circuits: Circuits;

  constructor(
    private readonly options: { readonly maxConcurrency: number; readonly maxQueue: number },
    clock: Clock,
  ) {
    this.circuits = new Circuits({ probeAfterMs: PROBE_AFTER_MS, now: () => clock.monotonic() });
  }

  of(provider: string): ProviderGate {
    const known = this.gates.get(provider);
    if (known !== undefined) return known;
    const { maxConcurrency, maxQueue } = this.options;
    const gate = new ProviderGate({ provider, maxConcurrency, maxQueue, circuits: this.circuits });
    this.gates.set(provider, gate);
    return gate;
  }
}
