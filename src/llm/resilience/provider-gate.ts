import { ProviderError, type ProviderErrorKind } from '../port/index.js';
import type { Circuits } from './circuits.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { verdictsOf } from './verdict.js';

/** A place among a provider's running calls. */
export interface Permit {
  /** The answer has begun. To a circuit that probes the provider this is enough: long answers keep nobody out. */
  begun(): void;
  /**
   * Gives the place back, and lets the circuits know how it went. Must be called, once. `not_asked` is for an attempt
   * that ended before anything was sent.
   */
  settle(outcome: ProviderError | 'completed' | 'cancelled' | 'not_asked'): void;
}

/** An attempt that wants to be let through. */
export interface GateRequest {
  /** The model's name as the provider knows it. */
  readonly model: string;
  /** Whose key it is sent with: empty for the server's own. Each key has circuits of its own. */
  readonly keyScope: string;
  /** Aborting it ends the wait. */
  readonly signal: AbortSignal;
}

export interface ProviderGateOptions {
  readonly provider: string;
  readonly maxConcurrency: number;
  readonly maxQueue: number;
  readonly circuits: Circuits;
}

/** The circuits that an attempt passes: that of the connection to its host, and that of its model there. */
interface CircuitKeys {
  readonly host: string;
  readonly model: string;
}

/** Lets a bounded number of calls through to a provider, a bounded number wait, and none to what is down. */
export class ProviderGate {
  private readonly places: ConcurrencyLimiter;

  constructor(private readonly options: ProviderGateOptions) {
    this.places = new ConcurrencyLimiter(options.maxConcurrency, options.maxQueue);
  }

  /**
   * Waits for a place.
   * @throws ProviderError `overloaded` at once where too many wait, `circuit_open` while the host or the model is down
   *   or probed
   */
  async enter({ model, keyScope, signal }: GateRequest): Promise<Permit> {
    const { provider } = this.options;
    // An id of a provider holds no slash, so no model can have the key of a host.
    const keys = { host: `${keyScope}:${provider}`, model: `${keyScope}:${provider}/${model}` };
    // Nobody waits for what is down; and it may have gone down while they waited.
    this.refuseWhileOpen(keys);
    const release = await this.places.take(signal);
    try {
      this.refuseWhileOpen(keys);
    } catch (error) {
      release();
      throw error;
    }
    return this.letThrough(keys, release);
  }

  private letThrough(keys: CircuitKeys, release: () => void): Permit {
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
