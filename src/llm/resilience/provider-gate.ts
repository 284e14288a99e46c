import { type CallPriority, ProviderError, type ProviderErrorKind } from '../port/index.js';
import type { Circuits } from './circuits.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { verdictsOf } from './verdict.js';

/** A slot among a provider's concurrent calls. */
export interface Permit {
  /**
   * Reports that the answer has begun. This is enough to close a circuit that is being probed, so that a long
   * answer does not block other calls.
   */
  begun(): void;
  /**
   * Releases the slot, and reports the outcome to the circuits. Must be called once. `not_asked` is for an
   * attempt that ended before anything was sent.
   */
  settle(outcome: ProviderError | 'completed' | 'cancelled' | 'not_asked'): void;
}

/** An attempt that asks for admission. */
export interface GateRequest {
  /** The provider's own name of the model. */
  readonly model: string;
  /** Scope of the key: empty for the server's own. Each key has its own circuits. */
  readonly keyScope: string;
  /** Default: interactive. */
  readonly priority?: CallPriority | undefined;
  /** Aborting it ends the wait. */
  readonly signal: AbortSignal;
}

export interface ProviderGateOptions {
  readonly provider: string;
  readonly maxConcurrency: number;
  readonly maxQueue: number;
  readonly circuits: Circuits;
}

/** The load of a provider, and the state of its circuits. */
export interface ProviderLoad {
  readonly running: number;
  readonly waiting: number;
  /** State of the circuit of the host, with the server's own key. */
  readonly hostCircuit: ReturnType<Circuits['stateOf']>;
  /** Number of circuits that are not closed, whatever their model and key. */
  readonly openCircuits: number;
}

/** The circuits of an attempt: that of the connection to its host, and that of its model there. */
interface CircuitKeys {
  readonly host: string;
  readonly model: string;
}

/**
 * Limits the concurrent calls of a provider and the length of their queue, and admits none while the host or
 * model is down.
 */
export class ProviderGate {
  private readonly limiter: ConcurrencyLimiter;

  constructor(private readonly options: ProviderGateOptions) {
    this.limiter = new ConcurrencyLimiter(options.maxConcurrency, options.maxQueue);
  }

  /** Returns the current load. */
  get load(): ProviderLoad {
    const { circuits, provider } = this.options;
    const host = hostKeyOf('', provider);
    const ofProvider = (key: string): boolean => {
      const scoped = key.slice(key.indexOf(':'));
      return scoped === host || scoped.startsWith(`${host}/`);
    };
    return {
      running: this.limiter.running,
      waiting: this.limiter.queued,
      hostCircuit: circuits.stateOf(host),
      openCircuits: circuits.openKeys().filter(ofProvider).length,
    };
  }

  /**
   * Waits for a slot.
   * @throws ProviderError `overloaded` immediately if the queue of interactive calls is full, `circuit_open` while the host or the
   * model is down or being probed
   */
  async enter({ model, keyScope, priority, signal }: GateRequest): Promise<Permit> {
    const { provider } = this.options;
    const host = hostKeyOf(keyScope, provider);
    // A provider id contains no slash, so no model can have the key of a host.
    const keys = { host, model: `${host}/${model}` };
    // Refuse before waiting for a slot, and check again afterwards: the circuit may have opened meanwhile.
    this.refuseWhileOpen(keys);
    const release = await this.limiter.acquire(signal, priority);
    try {
      this.refuseWhileOpen(keys);
    } catch (error) {
      release();
      throw error;
    }
    return this.admit(keys, release);
  }

  private admit(keys: CircuitKeys, release: () => void): Permit {
    const { circuits } = this.options;
    const host = circuits.admit(keys.host);
    const model = circuits.admit(keys.model);
    let reported = false;
    const report = (outcome: ProviderErrorKind | 'completed' | undefined): void => {
      if (reported) return;
      reported = true;
      const verdicts = verdictsOf(outcome);
      circuits.report(keys.host, verdicts.host, host);
      circuits.report(keys.model, verdicts.model, model);
    };
    return {
      begun: () => {
        if (host.probe || model.probe) {
          report('completed');
          return;
        }
        circuits.begin(keys.host, host);
        circuits.begin(keys.model, model);
      },
      settle: (outcome) => {
        release();
        if (outcome instanceof ProviderError) report(outcome.kind);
        else if (outcome === 'completed') report('completed');
        else if (outcome === 'cancelled') report(undefined);
        else {
          if (host.probe) circuits.forgoProbe(keys.host);
          if (model.probe) circuits.forgoProbe(keys.model);
        }
      },
    };
  }

  private refuseWhileOpen({ host, model }: CircuitKeys): void {
    const { circuits } = this.options;
    if (circuits.refuses(host)) {
      throw this.refusal('The model provider was repeatedly unreachable and is not called for a moment.');
    }
    if (circuits.refuses(model)) {
      throw this.refusal('This model has repeatedly failed at its provider and is not called for a moment.');
    }
  }

  private refusal(message: string): ProviderError {
    return new ProviderError('circuit_open', `${message} Try again later, or use another model.`, {
      retryAfterMs: this.options.circuits.probeAfterMs,
    });
  }
}

/** Returns the key of a host's circuit. A key scope contains no colon. */
function hostKeyOf(keyScope: string, provider: string): string {
  return `${keyScope}:${provider}`;
}
