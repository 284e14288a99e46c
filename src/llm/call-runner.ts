import type { DeadlineConfig } from '../config/index.js';
import type { PriceTable } from './accounting/price-table.js';
import { Attempt, type AttemptResult } from './attempt.js';
import { cancelledCall, toModelCallError } from './model-call-error.js';
import type { ResolvedModel } from './model-directory.js';
import { adaptRequest, refused, unhonoured } from './parameters.js';
import {
  type AttemptRecord,
  type ChatCompletion,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  ProviderError,
  type TokenUsage,
  type Wire,
} from './port/index.js';
import type { Permit, ProviderGate } from './resilience/provider-gate.js';
import { TryPlan } from './try-plan.js';

export interface CallRunnerOptions {
  readonly call: ModelCall;
  /** The models to ask, in order. */
  readonly chain: readonly ResolvedModel[];
  readonly gateOf: (provider: string) => ProviderGate;
  readonly deadlinesOf: (provider: string) => DeadlineConfig;
  readonly prices: PriceTable;
  /** Tries at one model beyond the first. */
  readonly maxRetries: number;
}

/** A whole answer and the model that gave it. */
export interface AnsweredCall {
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
  readonly raw?: string;
  /** Of the attempt that answered. */
  readonly usage: TokenUsage;
}

/** An attempt that was let through to its provider. */
interface Entered {
  readonly attempt: Attempt;
  readonly permit: Permit;
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
}

/**
 * Runs one call over a chain of models: retries, moves on, gives up. A caller sees nothing of it before the first
 * output; after it nothing is tried again, but for the one restart that a caller may allow.
 */
export class CallRunner {
  private readonly settled: AttemptRecord[] = [];
  private readonly plan: TryPlan;
  /** The attempt that is under way. Where the consumer leaves in the middle, nothing settles it. */
  private running: Entered | undefined;
  private restarted = false;

  /** @throws AppError `invalid_request` where no model of the chain can honour the request */
  constructor(private readonly options: CallRunnerOptions) {
    const { call, maxRetries } = options;
    this.plan = new TryPlan(ableModels(options), maxRetries, call.signal);
  }

  /** Full names of the models that may be asked, in order. */
  get models(): readonly string[] {
    return this.options.chain.map(({ name }) => name);
  }

  /** What became of every attempt so far. */
  get attempts(): readonly AttemptRecord[] {
    return this.settled;
  }

  /** @throws ModelCallError */
  async complete(): Promise<AnsweredCall> {
    for (;;) {
      const entered = await this.enter();
      const result =
        entered instanceof ProviderError ? entered : this.settle(entered, await entered.attempt.complete());
      if (!(result instanceof ProviderError)) {
        const { model, ignored } = result.entered;
        return { model, ignored, ...result.answer, usage: result.usage };
      }
      if (!(await this.plan.goOnAfter(result))) throw toModelCallError(result, this.settled);
    }
  }

  /** @throws ModelCallError */
  async *stream(): AsyncGenerator<ModelEvent> {
    try {
      for (;;) {
        const entered = await this.enter();
        const result =
          entered instanceof ProviderError ? entered : this.settle(entered, yield* this.streamed(entered));
        if (!(result instanceof ProviderError)) {
          const { finishReason, warning } = result.answer;
          const { entered: answered, usage } = result;
          const { model } = answered;
          yield { type: 'finished', model, finishReason, usage, attempts: this.settled, warning };
          return;
        }
        const shown = entered instanceof ProviderError ? false : entered.attempt.shown;
        const goesOn = shown ? this.restartsAfter(entered, result) : await this.plan.goOnAfter(result);
        if (!goesOn) throw toModelCallError(result, this.settled);
      }
    } finally {
      if (this.running !== undefined) this.conclude(this.running, { status: 'cancelled' });
    }
  }

  private streamed({ attempt, model, ignored }: Entered) {
    return attempt.stream({ type: this.restarted ? 'restarted' : 'started', model, ignored });
  }

  /** Once, for text only, and on another model: an answer that broke off in the middle is begun again. */
  private restartsAfter(entered: Entered | ProviderError, error: ProviderError): boolean {
    if (entered instanceof ProviderError || this.restarted || this.options.call.restart !== 'once')
      return false;
    if (entered.attempt.calledTools || !this.plan.moveOnAfter(error)) return false;
    this.restarted = true;
    return true;
  }

  /** Waits for a place at the provider of the next model. */
  private async enter(): Promise<Entered | ProviderError> {
    const { call, gateOf, deadlinesOf, prices } = this.options;
    const resolved = this.plan.model;
    if (resolved === undefined) throw new Error('A plan without a model was gone on with.');
    const { source: provider, ...model } = resolved;
    const permit = await gateOf(provider.id).enter(call.signal).catch(asRefusal);
    if (call.signal.aborted) {
      if (!(permit instanceof ProviderError)) permit.settle('cancelled');
      throw cancelledCall(this.settled);
    }
    if (permit instanceof ProviderError) return permit;
    const native = call.native?.wire === provider.wire ? call.native : undefined;
    // A provider of the caller's own wire gets everything that the caller said.
    const { request, ignored } = native
      ? { request: call.request, ignored: [] }
      : adaptRequest(call.request, provider.wire, model.name);
    const number = this.settled.length + 1;
    const attempt = new Attempt({
      number,
      provider,
      model,
      request,
      native,
      signal: call.signal,
      deadlines: deadlinesOf(provider.id),
      prices,
      onBegun: () => {
        permit.begun();
      },
    });
    this.running = { attempt, permit, model, ignored };
    return this.running;
  }

  /** What an attempt came to: its answer, or why there is none. A call that nobody wants any more ends here. */
  private settle<Answer>(
    entered: Entered,
    result: AttemptResult<Answer>,
  ): { entered: Entered; answer: Answer; usage: TokenUsage } | ProviderError {
    const { usage } = this.conclude(entered, result);
    if (result.status === 'completed') return { entered, answer: result.answer, usage };
    if (result.status === 'failed') return result.error;
    throw cancelledCall(this.settled);
  }

  /** Writes the attempt's record and gives its place back. */
  private conclude({ attempt, permit }: Entered, result: AttemptResult<unknown>): AttemptRecord {
    this.running = undefined;
    const record = attempt.record(result.status);
    this.settled.push(record);
    permit.settle(result.status === 'failed' ? result.error : result.status);
    return record;
  }
}

/** The models that can honour the request; the refusal of the first one where none can. */
function ableModels({ call, chain }: CallRunnerOptions): readonly ResolvedModel[] {
  const able = chain.filter(({ source }) => unhonouredBy(source.wire, call) === undefined);
  const [first] = chain;
  if (able.length === 0 && first !== undefined) {
    throw refused(unhonouredBy(first.source.wire, call) ?? 'model', first.name);
  }
  return able;
}

/** The first field of the caller's that a wire cannot carry. */
function unhonouredBy(wire: Wire, { request, native }: ModelCall): string | undefined {
  return native?.wire === wire ? undefined : (native?.onlyHere ?? unhonoured(request, wire));
}

function asRefusal(error: unknown): ProviderError {
  return error instanceof ProviderError
    ? error
    : new ProviderError('unavailable', 'The provider was not asked.', { cause: error });
}
