import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  type BulkheadPolicy,
  circuitBreaker,
  type CircuitBreakerPolicy,
  handleWhen,
  SamplingBreaker,
} from 'cockatiel';
import { ProviderError, type ProviderErrorKind } from '../port/index.js';

/** How long a circuit stays open before a request may probe the provider again, in milliseconds. */
export const PROBE_AFTER_MS = 10_000;

/** A circuit opens when half of the attempts of this long have failed, in milliseconds, and there were enough of them. */
const SAMPLE = { duration: 20_000, threshold: 0.5, minimumRps: 0.25 };

/** What says that a provider is not well, as opposed to a request that it is right to refuse. */
const ILL: ReadonlySet<ProviderErrorKind> = new Set(['timeout', 'unavailable', 'broken_answer']);

/** A place among a provider's running calls. */
export interface Permit {
  /** Gives the place back, and tells the circuit how it went: without an error, well. Must be called, once. */
  settle(error?: ProviderError): void;
}

/** Lets a bounded number of calls through to a provider, a bounded number wait, and none while it is down. */
export class ProviderGate {
  private readonly places: BulkheadPolicy;
  private readonly circuit: CircuitBreakerPolicy;

  constructor(options: { readonly maxConcurrency: number; readonly maxQueue: number }) {
    this.places = bulkhead(options.maxConcurrency, options.maxQueue);
    this.circuit = circuitBreaker(
      handleWhen((error) => error instanceof ProviderError && ILL.has(error.kind)),
      { halfOpenAfter: PROBE_AFTER_MS, breaker: new SamplingBreaker(SAMPLE) },
    );
  }

  /**
   * Waits for a place.
   * @throws ProviderError `overloaded` at once where too many wait, `circuit_open` while the provider is down
   */
  async enter(signal: AbortSignal): Promise<Permit> {
    const place = await this.place(signal);
    try {
      const report = await this.report();
      return {
        settle: (error) => {
          report(error);
          place();
        },
      };
    } catch (error) {
      place();
      throw error;
    }
  }

  /** Resolves with the release of a place when there is one. */
  private async place(signal: AbortSignal): Promise<() => void> {
    const granted = Promise.withResolvers<() => void>();
    this.places
      .execute(() => new Promise<null>((resolve) => granted.resolve(() => resolve(null))), signal)
      .catch((error: unknown) => {
        const full = error instanceof BulkheadRejectedError;
        granted.reject(
          full
            ? new ProviderError('overloaded', 'Too many requests wait for this provider.', {
                retryAfterMs: 1000,
              })
            : error,
        );
      });
    return granted.promise;
  }

  /** Resolves with the report of an attempt's outcome when the circuit lets the attempt through. */
  private async report(): Promise<(error?: ProviderError) => void> {
    const through = Promise.withResolvers<(error?: ProviderError) => void>();
    this.circuit
      .execute(
        () =>
          new Promise<null>((resolve, reject) =>
            through.resolve((error) => {
              if (error === undefined) resolve(null);
              else reject(error);
            }),
          ),
      )
      .catch((error: unknown) => {
        // After the attempt was let through the promise is settled, and what the attempt threw is told elsewhere.
        const open = error instanceof BrokenCircuitError;
        const down = 'The provider has failed too often and is not asked for a moment.';
        through.reject(
          open ? new ProviderError('circuit_open', down, { retryAfterMs: PROBE_AFTER_MS }) : error,
        );
      });
    return through.promise;
  }
}
