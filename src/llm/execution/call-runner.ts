import type { DeadlineConfig } from '../../config/index.js';
import type { PriceTable } from '../accounting/price-table.js';
import { Attempt } from './attempt.js';
import type { ResolvedModel } from '../models/model-directory.js';
import {
  type AdaptedRequest,
  adaptRequest,
  refused,
  unsupportedParameter,
} from '../models/parameter-support.js';
import {
  type AttemptRecord,
  type ChatCompletion,
  type ChatMessage,
  type ChatRequest,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  ProviderError,
  type TokenUsage,
  type Wire,
} from '../port/index.js';
import { type Entered, type MakeTrial, AttemptSequence, type TriesOptions } from './attempt-sequence.js';

export interface CallRunnerOptions extends Omit<TriesOptions, 'signal'> {
  readonly call: ModelCall;
  readonly deadlinesOf: (provider: string) => DeadlineConfig;
  readonly prices: PriceTable;
}

/** A whole answer and the model that generated it. */
export interface AnsweredCall {
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly completion: ChatCompletion;
  readonly raw?: string;
  /** Usage of the attempt that answered. */
  readonly usage: TokenUsage;
}

/** An attempt, and the facts that the caller receives with its answer. */
interface ToldAttempt {
  readonly attempt: Attempt;
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly record: Attempt['record'];
  /**
   * True if the provider answers in the caller's API format: that of the native request, else the canonical
   * format, which is OpenAI's.
   */
  readonly inCallersWire: boolean;
}

/**
 * Runs one call over a chain of models: retries, falls back to the next model, gives up. The caller sees
 * nothing of this before the first output. After it there are no more retries, except for the single restart
 * that a caller may allow.
 */
export class CallRunner {
  /** The models that can honour the request, in the order in which they are called. */
  readonly chain: readonly ResolvedModel[];
  private readonly tries: AttemptSequence<ToldAttempt>;
  private restarted = false;

  /** @throws AppError `invalid_request` if no model of the chain can honour the request */
  constructor(private readonly options: CallRunnerOptions) {
    const { signal } = options.call;
    this.chain = compatibleModels(options.call, options.chain);
    this.tries = new AttemptSequence({ ...options, chain: this.chain, signal }, (at) => this.attemptAt(at));
  }

  /** Returns the full names of the models that may be called, in order. */
  get models(): readonly string[] {
    return this.options.chain.map(({ name }) => name);
  }

  /** Returns the records of all attempts so far. */
  get attempts(): readonly AttemptRecord[] {
    return this.tries.attempts;
  }

  /** @throws ModelCallError */
  async complete(): Promise<AnsweredCall> {
    const { trial, answer, usage } = await this.tries.answer(({ attempt }) => attempt.complete());
    const { model, ignored, inCallersWire } = trial;
    const { completion, raw } = answer;
    // The raw answer is of no use to the caller if it is in another API format.
    return { model, ignored, completion, usage, ...(raw !== undefined && inCallersWire && { raw }) };
  }

  /** @throws ModelCallError */
  async *stream(): AsyncGenerator<ModelEvent> {
    const { tries } = this;
    try {
      for (;;) {
        const entered = await tries.enter();
        const result =
          entered instanceof ProviderError ? entered : tries.settle(entered, yield* this.streamed(entered));
        if (!(result instanceof ProviderError)) {
          const { answer, trial, usage } = result;
          const { finishReason, warning } = answer;
          const { model } = trial;
          yield { type: 'finished', model, finishReason, usage, attempts: tries.attempts, warning };
          return;
        }
        const shown = entered instanceof ProviderError ? undefined : shownOf(entered);
        const goesOn = shown ? this.restartsAfter(shown, result) : await tries.goOnAfter(result);
        if (!goesOn) throw tries.failure(result);
      }
    } finally {
      tries.leave();
    }
  }

  private streamed({ trial: { attempt, model, ignored } }: Entered<ToldAttempt>) {
    return attempt.stream({ type: this.restarted ? 'restarted' : 'started', model, ignored });
  }

  /** Allows one restart, on another model, of an answer that broke off midway, if it consists of text only. */
  private restartsAfter(shown: Attempt, error: ProviderError): boolean {
    if (this.restarted || this.options.call.restart !== 'once') return false;
    if (shown.calledTools || !this.tries.moveOnAfter(error)) return false;
    this.restarted = true;
    return true;
  }

  private attemptAt({
    resolved,
    number,
    apiKey,
    onBegun,
  }: Parameters<MakeTrial<ToldAttempt>>[0]): ToldAttempt {
    const { call, deadlinesOf, prices } = this.options;
    const { source: provider, ...model } = resolved;
    const native = call.native?.wire === provider.wire ? call.native : undefined;
    const { request, ignored } = native ? asItIs(call) : adapted(call, resolved);
    const attempt = new Attempt({
      number,
      provider,
      model,
      request,
      ownChoices: call.ownChoices,
      native,
      apiKey,
      signal: call.signal,
      deadlines: deadlinesOf(provider.id),
      prices,
      onBegun,
    });
    const inCallersWire = provider.wire === (call.native?.wire ?? 'openai');
    return { attempt, model, ignored, inCallersWire, record: (outcome) => attempt.record(outcome) };
  }
}

/** Returns the attempt if any part of its answer was passed on. */
function shownOf({ trial: { attempt } }: Entered<ToldAttempt>): Attempt | undefined {
  return attempt.shown ? attempt : undefined;
}

/** Passes the request on unchanged: a provider that uses the caller's own protocol receives all of it. */
function asItIs({ request }: ModelCall): AdaptedRequest {
  return { request, ignored: [] };
}

/**
 * Fits a request to the API format and then to the model. Names of parameters that the caller did not send are
 * not reported.
 */
function adapted(
  { request, native, ownChoices = [] }: ModelCall,
  { source, provider, model, name }: ResolvedModel,
): AdaptedRequest {
  const own = withoutForeignData(request, provider);
  const fitted = adaptRequest(own, source.wire, name, native !== undefined);
  const dropped = source.droppedHints?.(fitted.request, model) ?? [];
  const ignored = new Set([...fitted.ignored, ...dropped, ...(native?.hints ?? [])]);
  if (ownChoices.includes('temperature')) ignored.delete('temperature');
  return { ...fitted, ignored: [...ignored] };
}

/** Drops the data of other providers: only they can use it, and hosts refuse unknown fields. */
function withoutForeignData(request: ChatRequest, provider: string): ChatRequest {
  const isForeign = ({ provider_data: data }: ChatMessage): boolean =>
    data !== undefined && data.provider !== provider;
  if (!request.messages.some(isForeign)) return request;
  const messages = request.messages.map((message) => {
    if (!isForeign(message)) return message;
    const { provider_data: _foreign, ...rest } = message;
    return rest;
  });
  return { ...request, messages };
}

/**
 * Returns the models that can honour a request.
 * @throws AppError `invalid_request`, the refusal of the first model, if none can
 */
export function compatibleModels(
  call: Pick<ModelCall, 'request' | 'native'>,
  chain: readonly ResolvedModel[],
): readonly ResolvedModel[] {
  const able = chain.filter(({ source }) => unhonouredBy(source.wire, call) === undefined);
  const [first] = chain;
  if (able.length === 0 && first !== undefined) {
    throw refused(unhonouredBy(first.source.wire, call) ?? 'model', first.name, call.request);
  }
  return able;
}

/** Returns the first field of the caller's request that a protocol cannot carry. */
function unhonouredBy(
  wire: Wire,
  { request, native }: Pick<ModelCall, 'request' | 'native'>,
): string | undefined {
  return native?.wire === wire ? undefined : (native?.onlyHere ?? unsupportedParameter(request, wire));
}
