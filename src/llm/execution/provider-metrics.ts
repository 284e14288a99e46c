import type { Metrics } from '../../infra/metrics/index.js';
import { CIRCUIT_STATES } from '../resilience/circuit.js';
import type { ProviderGates } from '../resilience/provider-gates.js';

/**
 * Exports the load of each provider, the state of its circuits and its limits.
 * @param providers ids of the configured providers, which are exported even before their first call
 */
export function exportProviderMetrics(
  metrics: Metrics,
  providers: readonly string[],
  gates: ProviderGates,
  limits: { readonly maxConcurrency: number; readonly maxQueue: number },
): void {
  const labelled = providers.map((provider) => ({ provider, labels: { gen_ai_provider_name: provider } }));
  for (const { labels } of labelled) {
    metrics.concurrencyLimit.set(labels, limits.maxConcurrency);
    metrics.queueLimit.set(labels, limits.maxQueue);
  }
  metrics.addCollector(() => {
    for (const { provider, labels } of labelled) {
      const { running, waiting, hostCircuit, openCircuits } = gates.gateFor(provider).load;
      metrics.runningCalls.set(labels, running);
      metrics.waitingCalls.set(labels, waiting);
      metrics.openCircuits.set(labels, openCircuits);
      for (const state of CIRCUIT_STATES) {
        metrics.circuitState.set({ ...labels, circuit_state: state }, state === hostCircuit ? 1 : 0);
      }
    }
  });
}
