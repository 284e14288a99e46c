import { ProviderGate } from './provider-gate.js';

/** One gate a provider, made when it is first asked. */
export class ProviderGates {
  private readonly gates = new Map<string, ProviderGate>();

  constructor(private readonly options: { readonly maxConcurrency: number; readonly maxQueue: number }) {}

  of(provider: string): ProviderGate {
    const known = this.gates.get(provider);
    if (known !== undefined) return known;
    const gate = new ProviderGate(this.options);
    this.gates.set(provider, gate);
    return gate;
  }
}
