import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  handleWhen,
  SamplingBreaker,
} from 'cockatiel';
import { ProviderError, type ProviderErrorKind } from '../port/index.js';
import { Places } from './places.js';

/** How long a circuit stays open before a request may probe the provider again, in milliseconds. */
const PROBE_AFTER_MS = 10_000;

/** A circuit opens when half of the attempts of this long have failed, in milliseconds, and there were enough of them. */
const SAMPLE = { duration: 20_000, threshold: 0.5, minimumRps: 0.25 };

/** What says that a provider is not well, as opposed to a request that it is right to refuse. */
const ILL: ReadonlySet<ProviderErrorKind> = new Set([
  'timeout',
  'timed_out',
  'unreachable',
  'unavailable',
  'broken_answer',
  'unreadable_answer',
]);

/** A place among a provider's running calls. */
export interface Permit {
  /** The answer has begun. To a circuit that probes the provider this is enough: long answers keep nobody out. */
  begun(): void;
  /** Gives the place back, and tells the circuit how it went. Must be called, once. */
  settle(outcome: ProviderError | 'completed' | 'cancelled'): void;
}

export interface ProviderGateOptions {
  readonly maxConcurrency: number;
  readonly maxQueue: number;
  /** Milliseconds. */
  readonly probeAfterMs?: number;
}

/** Lets a bounded number of calls through to a provider, a bounded number wait, and none while it is down. */
export class ProviderGate {
  private readonly places: Places;
  private readonly circuit: CircuitBreakerPolicy;
  private readonly probeAfterMs: number;
  private openedAt = 0;

  constructor({ maxConcurrency, maxQueue, probeAfterMs = PROBE_AFTER_MS }: ProviderGateOptions) {
    this.places = new Places(maxConcurrency, maxQueue);
    this.probeAfterMs = probeAfterMs;
    this.circuit = circuitBreaker(
      handleWhen((error) => error instanceof ProviderError && ILL.has(error.kind)),
      { halfOpenAfter: probeAfterMs, breaker: new SamplingBreaker(SAMPLE) },
    );
    this.circuit.onBreak(() => {
      this.openedAt = Date.now();
    });
  }

  /**
   * Waits for a place.
   * @throws ProviderError `overloaded` at once where too many wait, `circuit_open` while the provider is down or probed
   */
  async enter(signal: AbortSignal): Promise<Permit> {
    // Nobody waits for a provider that is down; and it may have gone down while they waited.
    this.refuseWhileOpen();
    const release = await this.places.take(signal);
    try {
      this.refuseWhileOpen();
    } catch (error) {
      release();
      throw error;
    }
    return this.letThrough(release);
  }

  private letThrough(release: () => void): Permit {
    const outcome = Promise.withResolvers<null>();
    // What the attempt threw is told elsewhere.
    this.circuit.execute(() => outcome.promise).catch(() => undefined);
    const probes = this.circuit.state === CircuitState.HalfOpen;
    return {
      begun: () => {
        if (probes) outcome.resolve(null);
      },
      settle: (result) => {
        if (result === 'completed') outcome.resolve(null);
        else if (result === 'cancelled') outcome.reject(probes ? unknownYet() : new Error('cancelled'));
        else outcome.reject(result);
        release();
      },
    };
  }

  private refuseWhileOpen(): void {
    const { state } = this.circuit;
    const resting = state === CircuitState.Open && Date.now() - this.openedAt < this.probeAfterMs;
    // One probes; the others would have to wait for its answer.
    if (!resting && state !== CircuitState.HalfOpen) return;
    throw new ProviderError(
      'circuit_open',
      'The provider has failed too often and is not asked for a moment.',
      {
        retryAfterMs: this.probeAfterMs,
      },
    );
  }
}

/** A probe that was given up says nothing, and what was down counts as down until something else is known. */
function unknownYet(): ProviderError {
  return new ProviderError('unavailable', 'The probe was given up before there was an answer.');
}
