import type { DeadlineConfig } from '../config/index.js';
import { Attempt, type AttemptResult } from './attempt.js';
import { cancelledCall, toModelCallError } from './model-call-error.js';
import type { ResolvedModel } from './model-directory.js';
import { type AdaptedRequest, adaptRequest, refused, unhonoured } from './parameters.js';
import {
  type AttemptRecord,
  type ChatCompletion,
  type ChatMessage,
  type ChatRequest,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  ProviderError,
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
  /** Tries at one model beyond the first. */
  readonly maxRetries: number;
}

/** A whole answer and the model that gave it. */
export interface AnsweredCall {
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
  readonly raw?: string;
}

/** An attempt that was let through to its provider. */
interface Entered {
  readonly attempt: Attempt;
  readonly permit: Permit;
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  /** Whether the provider was sent the caller's own words, and answers in them. */
  readonly relays: boolean;
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
    const { call, chain, maxRetries } = options;
    this.plan = new TryPlan(ableModels(call, chain), maxRetries, call.signal);
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
        const { model, ignored, relays } = result.entered;
        const { completion, raw } = result.answer;
        // Where the caller has words of its own, an answer in others is of no use to it as it came.
        const inCallersWire = relays || this.options.call.native === undefined;
        return { model, ignored, completion, ...(raw !== undefined && inCallersWire && { raw }) };
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
          const { finishReason, warning, usage } = result.answer;
          const { model } = result.entered;
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
    const { call, gateOf, deadlinesOf } = this.options;
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
    const { request, ignored } = native ? asItIs(call) : adapted(call, resolved);
    const number = this.settled.length + 1;
    const attempt = new Attempt({
      number,
      provider,
      model,
      request,
      native,
      signal: call.signal,
      deadlines: deadlinesOf(provider.id),
      onBegun: () => {
        permit.begun();
      },
    });
    this.running = { attempt, permit, model, ignored, relays: native !== undefined };
    return this.running;
  }

  /** What an attempt came to: its answer, or why there is none. A call that nobody wants any more ends here. */
  private settle<Answer>(
    entered: Entered,
    result: AttemptResult<Answer>,
  ): { entered: Entered; answer: Answer } | ProviderError {
    this.conclude(entered, result);
    if (result.status === 'completed') return { entered, answer: result.answer };
    if (result.status === 'failed') return result.error;
    throw cancelledCall(this.settled);
  }

  /** Writes the attempt's record and gives its place back. */
  private conclude({ attempt, permit }: Entered, result: AttemptResult<unknown>): void {
    this.running = undefined;
    this.settled.push(attempt.record(result.status));
    permit.settle(result.status === 'failed' ? result.error : result.status);
  }
}

/** A provider of the caller's own wire gets everything that the caller said. */
function asItIs({ request }: ModelCall): AdaptedRequest {
  return { request, ignored: [] };
}

/** What the wire, and then the model, can carry of a request. */
function adapted({ request, native }: ModelCall, { source, model, name }: ResolvedModel): AdaptedRequest {
  const fitted = adaptRequest(withoutForeignData(request, source.wire), source.wire, name);
  const untaken = source.untakenHints?.(fitted.request, model) ?? [];
  return { ...fitted, ignored: [...new Set([...fitted.ignored, ...untaken, ...(native?.hints ?? [])])] };
}

/** What only another provider understands is dropped: hosts refuse fields of messages that they do not know. */
function withoutForeignData(request: ChatRequest, wire: Wire): ChatRequest {
  const isForeign = ({ provider_data: data }: ChatMessage): boolean =>
    data !== undefined && data.provider !== wire;
  if (!request.messages.some(isForeign)) return request;
  const messages = request.messages.map((message) => {
    if (!isForeign(message)) return message;
    const { provider_data: _foreign, ...rest } = message;
    return rest;
  });
  return { ...request, messages };
}

/**
 * The models that can honour a request.
 * @throws AppError `invalid_request`, the refusal of the first one where none can
 */
export function ableModels(
  call: Pick<ModelCall, 'request' | 'native'>,
  chain: readonly ResolvedModel[],
): readonly ResolvedModel[] {
  const able = chain.filter(({ source }) => unhonouredBy(source.wire, call) === undefined);
  const [first] = chain;
  if (able.length === 0 && first !== undefined) {
    throw refused(unhonouredBy(first.source.wire, call) ?? 'model', first.name);
  }
  return able;
}

/** The first field of the caller's that a wire cannot carry. */
function unhonouredBy(
  wire: Wire,
  { request, native }: Pick<ModelCall, 'request' | 'native'>,
): string | undefined {
  return native?.wire === wire ? undefined : (native?.onlyHere ?? unhonoured(request, wire));
}

function asRefusal(error: unknown): ProviderError {
  return error instanceof ProviderError
    ? error
    : new ProviderError('unavailable', 'The provider was not asked.', { cause: error });
}
