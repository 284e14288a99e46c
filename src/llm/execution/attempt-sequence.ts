import type { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import type { AttemptResult } from './attempt-result.js';
import {
  toCancelledCallError,
  toCrashedCallError,
  toRefusedCallError,
  toModelCallError,
} from '../port/model-call-error.js';
import { keyScopeOf } from '../models/key-scope.js';
import type { ResolvedModel } from '../models/model-directory.js';
import { type AttemptRecord, type CallPriority, ProviderError, type TokenUsage } from '../port/index.js';
import type { AttemptTimer, ModelCallMetrics, ModelOperation } from './model-call-metrics.js';
import type { Permit, ProviderGate } from '../resilience/provider-gate.js';
import { FallbackPlan } from './fallback-plan.js';

export interface AttemptSequenceOptions {
  /** The models to call, in order. */
  readonly chain: readonly ResolvedModel[];
  readonly gateOf: (provider: string) => ProviderGate;
  /** Returns the user's own key for a provider, if there is one. Called once per provider. */
  readonly credentialOf: (provider: string) => Promise<string | undefined>;
  /** Maximum attempts at one model beyond the first. */
  readonly maxRetries: number;
  /** The caller's signal. Aborting it ends the call as cancelled. */
  readonly signal: AbortSignal;
  readonly priority: CallPriority | undefined;
  /** Times the wait between two attempts. */
  readonly clock: Clock;
  readonly operation: ModelOperation;
  readonly metrics: ModelCallMetrics;
}

/** An attempt at any kind of request. It never throws, and leaves a record whatever its outcome. */
export interface AttemptHandle {
  record(outcome: AttemptRecord['outcome']): AttemptRecord;
}

/** Creates the attempt at a model. */
export type CreateAttempt<One extends AttemptHandle> = (at: {
  readonly resolved: ResolvedModel;
  /** Number of the attempt within the call, starting at 1. */
  readonly number: number;
  /** The user's own key for the provider. */
  readonly apiKey: string | undefined;
  /** Must be called when the first output of a stream arrives. */
  readonly onBegun: () => void;
}) => One;

/** An attempt that its provider's gate has admitted. */
export interface AdmittedAttempt<One extends AttemptHandle> {
  readonly attempt: One;
  readonly permit: Permit;
  readonly timer: AttemptTimer;
}

/** An attempt that produced an answer. */
export interface SettledAttempt<One extends AttemptHandle, Answer> {
  readonly attempt: One;
  readonly answer: Answer;
  readonly usage: TokenUsage;
}

/**
 * The attempts of one call over a chain of models. Each attempt waits for a slot at its provider, leaves its
 * record, and is followed by another attempt or none.
 */
export class AttemptSequence<One extends AttemptHandle> {
  private readonly settled: AttemptRecord[] = [];
  private readonly plan: FallbackPlan;
  private readonly keys = new Map<string, Promise<string | undefined>>();
  /** The attempt in progress. If the consumer stops early, nothing settles it. */
  private running: AdmittedAttempt<One> | undefined;

  constructor(
    private readonly options: AttemptSequenceOptions,
    private readonly make: CreateAttempt<One>,
  ) {
    this.plan = new FallbackPlan(options.chain, options.maxRetries, options.signal, options.clock);
  }

  /** Returns the records of all attempts so far. */
  get attempts(): readonly AttemptRecord[] {
    return this.settled;
  }

  /**
   * Makes attempts until one returns a complete answer.
   * @throws ModelCallError
   */
  async answer<Answer>(
    ask: (attempt: One) => Promise<AttemptResult<Answer>>,
  ): Promise<SettledAttempt<One, Answer>> {
    try {
      for (;;) {
        const entered = await this.admitNext();
        const result =
          entered instanceof ProviderError ? entered : this.settle(entered, await ask(entered.attempt));
        if (!(result instanceof ProviderError)) return result;
        if (!(await this.retryOrFallBack(result))) throw this.failure(result);
      }
    } finally {
      this.abandon();
    }
  }

  /**
   * Waits for a slot at the provider of the next model.
   * @throws AppError if the user's own key for it cannot be used or the request does not fit the model
   * @throws ModelCallError if the call was aborted
   */
  async admitNext(): Promise<AdmittedAttempt<One> | ProviderError> {
    const { gateOf, priority, signal, metrics, operation } = this.options;
    const resolved = this.plan.model;
    if (resolved === undefined) throw new Error('The fallback plan has no model to continue with.');
    const apiKey = await this.keyOf(resolved.provider);
    const keyScope = keyScopeOf(apiKey);
    const permit = await gateOf(resolved.provider)
      .enter({ model: resolved.model, keyScope, priority, signal })
      .catch(asRefusal);
    if (signal.aborted) {
      if (!(permit instanceof ProviderError)) permit.settle('not_asked');
      throw toCancelledCallError(this.settled);
    }
    if (permit instanceof ProviderError) {
      metrics.countRejection(resolved, permit);
      return permit;
    }
    const timer = metrics.startAttempt(operation, resolved);
    const onBegun = (): void => {
      permit.begun();
      timer.begun();
    };
    try {
      const attempt = this.make({ resolved, number: this.settled.length + 1, apiKey, onBegun });
      this.running = { attempt, permit, timer };
      return this.running;
    } catch (error) {
      // Fitting the request to the model failed before the provider was called: release the slot.
      permit.settle('not_asked');
      throw error instanceof AppError
        ? toRefusedCallError(error, this.settled)
        : toCrashedCallError(error, this.settled);
    }
  }

  /**
   * Concludes an attempt: returns its answer, or the provider's failure.
   * @throws ModelCallError, AppError if no other attempt can help: the call was aborted, or the fault is not
   * the provider's
   */
  settle<Answer>(
    entered: AdmittedAttempt<One>,
    result: AttemptResult<Answer>,
  ): SettledAttempt<One, Answer> | ProviderError {
    const record = this.conclude(entered, result);
    switch (result.status) {
      case 'completed':
        return { attempt: entered.attempt, answer: result.answer, usage: record.usage };
      case 'failed':
        return result.error;
      case 'cancelled':
        throw toCancelledCallError(this.settled);
      case 'refused':
        throw toRefusedCallError(result.error, this.settled);
      case 'crashed':
        throw toCrashedCallError(result.cause, this.settled);
    }
  }

  /**
   * Returns true if another attempt follows a failure without visible output, after waiting for the backoff if
   * there is one.
   */
  async retryOrFallBack(error: ProviderError): Promise<boolean> {
    const failed = this.plan.model;
    const goesOn = await this.plan.goOnAfter(error);
    if (goesOn) this.countNextAttempt(failed, error);
    return goesOn;
  }

  /**
   * Moves on to the next model, without a retry of this one. Returns false if there is none or the request
   * itself is at fault.
   */
  fallBack(error: ProviderError): boolean {
    const failed = this.plan.model;
    const goesOn = this.plan.moveOnAfter(error);
    if (goesOn) this.countNextAttempt(failed, error);
    return goesOn;
  }

  /** Returns the error of the call after its last attempt. */
  failure(error: ProviderError): Error {
    return toModelCallError(error, this.settled);
  }

  /** Ends the attempt in progress. Must be called if an attempt may have been abandoned. */
  abandon(): void {
    if (this.running !== undefined) this.conclude(this.running, { status: 'cancelled' });
  }

  /** Returns the same key for every attempt at a provider, even if the user changes it meanwhile. */
  private keyOf(provider: string): Promise<string | undefined> {
    const known = this.keys.get(provider) ?? this.options.credentialOf(provider);
    this.keys.set(provider, known);
    return known;
  }

  private countNextAttempt(failed: ResolvedModel | undefined, error: ProviderError): void {
    if (failed === undefined) return;
    this.options.metrics.countNextAttempt(failed === this.plan.model ? 'retry' : 'fallback', failed, error);
  }

  /** Writes the attempt's record and releases its slot. */
  private conclude(
    { attempt, permit, timer }: AdmittedAttempt<One>,
    result: AttemptResult<unknown>,
  ): AttemptRecord {
    this.running = undefined;
    try {
      const record = attempt.record(OUTCOMES[result.status]);
      // A request that was refused before it was sent is not an attempt at a model.
      if (result.status !== 'refused') {
        this.settled.push(record);
        timer.end(record, result);
      }
      return record;
    } finally {
      permit.settle(result.status === 'failed' ? result.error : GATE_OUTCOMES[result.status]);
    }
  }
}

/** The outcome that the record of an attempt has. */
const OUTCOMES = {
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  refused: 'failed',
  crashed: 'failed',
} as const satisfies Record<AttemptResult<unknown>['status'], AttemptRecord['outcome']>;

/** The provider gate's names for outcomes that are not the provider's failure. */
const GATE_OUTCOMES = {
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
