import type { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import type { AttemptResult } from './attempt-result.js';
import { cancelledCall, crashedCall, refusedCall, toModelCallError } from '../port/model-call-error.js';
import { keyScopeOf } from '../models/key-scope.js';
import type { ResolvedModel } from '../models/model-directory.js';
import { type AttemptRecord, ProviderError, type TokenUsage } from '../port/index.js';
import type { Permit, ProviderGate } from '../resilience/provider-gate.js';
import { FallbackPlan } from './fallback-plan.js';

export interface TriesOptions {
  /** The models to ask, in order. */
  readonly chain: readonly ResolvedModel[];
  readonly gateOf: (provider: string) => ProviderGate;
  /** The user's own key of a provider, where there is one. Asked once a provider. */
  readonly credentialOf: (provider: string) => Promise<string | undefined>;
  /** Tries at one model beyond the first. */
  readonly maxRetries: number;
  /** The caller's: aborting it ends the call as cancelled. */
  readonly signal: AbortSignal;
  /** By which it is waited between two tries. */
  readonly clock: Clock;
}

/** What is tried, whatever it asks for. It never throws, and leaves a record however it ends. */
export interface AttemptHandle {
  record(outcome: AttemptRecord['outcome']): AttemptRecord;
}

/** Makes the attempt at a model. */
export type MakeTrial<One extends AttemptHandle> = (at: {
  readonly resolved: ResolvedModel;
  /** From 1 on within the call. */
  readonly number: number;
  /** The user's own key of the provider. */
  readonly apiKey: string | undefined;
  /** To be called when the first output of a stream is there. */
  readonly onBegun: () => void;
}) => One;

/** An attempt that was let through to its provider. */
export interface Entered<One extends AttemptHandle> {
  readonly trial: One;
  readonly permit: Permit;
}

/** An attempt that brought an answer. */
export interface Settled<One extends AttemptHandle, Answer> {
  readonly trial: One;
  readonly answer: Answer;
  readonly usage: TokenUsage;
}

/** The attempts of one call over a chain of models: each waits for its place, leaves its record, and is followed by another or none. */
export class AttemptSequence<One extends AttemptHandle> {
  private readonly settled: AttemptRecord[] = [];
  private readonly plan: FallbackPlan;
  private readonly keys = new Map<string, Promise<string | undefined>>();
  /** The attempt that is under way. Where the consumer leaves in the middle, nothing settles it. */
  private running: Entered<One> | undefined;

  constructor(
    private readonly options: TriesOptions,
    private readonly make: MakeTrial<One>,
  ) {
    this.plan = new FallbackPlan(options.chain, options.maxRetries, options.signal, options.clock);
  }

  /** What became of every attempt so far. */
  get attempts(): readonly AttemptRecord[] {
    return this.settled;
  }

  /**
   * Tries until there is an answer that comes whole.
   * @throws ModelCallError
   */
  async answer<Answer>(ask: (trial: One) => Promise<AttemptResult<Answer>>): Promise<Settled<One, Answer>> {
    try {
      for (;;) {
        const entered = await this.enter();
        const result =
          entered instanceof ProviderError ? entered : this.settle(entered, await ask(entered.trial));
        if (!(result instanceof ProviderError)) return result;
        if (!(await this.goOnAfter(result))) throw this.failure(result);
      }
    } finally {
      this.leave();
    }
  }

  /**
   * Waits for a place at the provider of the next model.
   * @throws AppError where the user's own key of it cannot be used or the request does not fit the model,
   *   ModelCallError where the call was aborted
   */
  async enter(): Promise<Entered<One> | ProviderError> {
    const { gateOf, signal } = this.options;
    const resolved = this.plan.model;
    if (resolved === undefined) throw new Error('The fallback plan has no model to continue with.');
    const apiKey = await this.keyOf(resolved.provider);
    const keyScope = keyScopeOf(apiKey);
    const permit = await gateOf(resolved.provider)
      .enter({ model: resolved.model, keyScope, signal })
      .catch(asRefusal);
    if (signal.aborted) {
      if (!(permit instanceof ProviderError)) permit.settle('not_asked');
      throw cancelledCall(this.settled);
    }
    if (permit instanceof ProviderError) return permit;
    const onBegun = (): void => {
      permit.begun();
    };
    try {
      const trial = this.make({ resolved, number: this.settled.length + 1, apiKey, onBegun });
      this.running = { trial, permit };
      return this.running;
    } catch (error) {
      // The request was fitted to the model, and the provider not asked: its place must not be lost with it.
      permit.settle('not_asked');
      throw error instanceof AppError ? refusedCall(error, this.settled) : crashedCall(error, this.settled);
    }
  }

  /**
   * Concludes an attempt: returns its answer, or the provider's failure.
   * @throws ModelCallError, AppError where no other attempt can help: the call was aborted, or the fault is not the
   *   provider's
   */
  settle<Answer>(entered: Entered<One>, result: AttemptResult<Answer>): Settled<One, Answer> | ProviderError {
    const record = this.conclude(entered, result);
    switch (result.status) {
      case 'completed':
        return { trial: entered.trial, answer: result.answer, usage: record.usage };
      case 'failed':
        return result.error;
      case 'cancelled':
        throw cancelledCall(this.settled);
      case 'refused':
        throw refusedCall(result.error, this.settled);
      case 'crashed':
        throw crashedCall(result.cause, this.settled);
    }
  }

  /** After a failure that nobody saw anything of: whether there is another try. Waits where it must be waited. */
  goOnAfter(error: ProviderError): Promise<boolean> {
    return this.plan.goOnAfter(error);
  }

  /** To the next model, whatever is thought of this one: whether there is one that may be asked the same. */
  moveOnAfter(error: ProviderError): boolean {
    return this.plan.moveOnAfter(error);
  }

  /** The end of the call where nothing is tried any more. */
  failure(error: ProviderError): Error {
    return toModelCallError(error, this.settled);
  }

  /** Ends what is still under way. Must be called where an attempt may have been left. */
  leave(): void {
    if (this.running !== undefined) this.conclude(this.running, { status: 'cancelled' });
  }

  /** The same key for every try at a provider, whatever the user does meanwhile. */
  private keyOf(provider: string): Promise<string | undefined> {
    const known = this.keys.get(provider) ?? this.options.credentialOf(provider);
    this.keys.set(provider, known);
    return known;
  }

  /** Writes the attempt's record and gives its place back. */
  private conclude({ trial, permit }: Entered<One>, result: AttemptResult<unknown>): AttemptRecord {
    this.running = undefined;
    try {
      const record = trial.record(OUTCOMES[result.status]);
      // A request that was refused before it was sent is no attempt at a model.
      if (result.status !== 'refused') this.settled.push(record);
      return record;
    } finally {
      permit.settle(result.status === 'failed' ? result.error : FOR_THE_GATE[result.status]);
    }
  }
}

/** The outcome that an attempt is recorded with. */
const OUTCOMES = {
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  refused: 'failed',
  crashed: 'failed',
} as const satisfies Record<AttemptResult<unknown>['status'], AttemptRecord['outcome']>;

/** Outcomes that are not the provider's failure, as its gate knows them. */
const FOR_THE_GATE = {
  completed: 'completed',
  cancelled: 'cancelled',
  refused: 'not_asked',
  crashed: 'not_asked',
} as const satisfies Record<Exclude<AttemptResult<unknown>['status'], 'failed'>, string>;

function asRefusal(error: unknown): ProviderError {
  return error instanceof ProviderError
    ? error
    : new ProviderError('unavailable', 'The provider was not called.', { cause: error });
}
