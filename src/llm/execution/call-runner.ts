import type { DeadlineConfig } from '../../config/index.js';
import type { PriceTable } from '../accounting/price-table.js';
import { Attempt } from './attempt.js';
import type { ResolvedModel } from '../models/model-directory.js';
import {
  type AdaptedRequest,
  adaptRequest,
  unsupportedParameterError,
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
  type Protocol,
} from '../port/index.js';
import {
  type AdmittedAttempt,
  type CreateAttempt,
  AttemptSequence,
  type AttemptSequenceOptions,
} from './attempt-sequence.js';

export interface CallRunnerOptions extends Omit<AttemptSequenceOptions, 'signal'> {
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
interface RunningAttempt {
  readonly attempt: Attempt;
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
  readonly record: Attempt['record'];
  /**
   * True if the provider answers in the caller's API format: that of the native request, else the canonical
   * format, which is OpenAI's.
   */
  readonly inCallerFormat: boolean;
}

/**
 * Runs one call over a chain of models: retries, falls back to the next model, gives up. The caller sees
 * nothing of this before the first output. After it there are no more retries, except for the single restart
 * that a caller may allow.
 */
export class CallRunner {
  /** The models that can honor the request, in the order in which they are called. */
  readonly chain: readonly ResolvedModel[];
  private readonly sequence: AttemptSequence<RunningAttempt>;
  private restarted = false;

  /** @throws AppError `invalid_request` if no model of the chain can honor the request */
  constructor(private readonly options: CallRunnerOptions) {
    const { signal } = options.call;
    this.chain = compatibleModels(options.call, options.chain);
    this.sequence = new AttemptSequence({ ...options, chain: this.chain, signal }, (at) =>
      this.attemptAt(at),
    );
  }

  /** Returns the full names of the models that may be called, in order. */
  get models(): readonly string[] {
    return this.options.chain.map(({ name }) => name);
  }

  /** Returns the records of all attempts so far. */
  get attempts(): readonly AttemptRecord[] {
    return this.sequence.attempts;
  }

  /** @throws ModelCallError */
  async complete(): Promise<AnsweredCall> {
    const { attempt, answer, usage } = await this.sequence.answer(({ attempt }) => attempt.complete());
    const { model, ignored, inCallerFormat } = attempt;
    const { completion, raw } = answer;
    // The raw answer is of no use to the caller if it is in another API format.
    return { model, ignored, completion, usage, ...(raw !== undefined && inCallerFormat && { raw }) };
  }

  /** @throws ModelCallError */
  async *stream(): AsyncGenerator<ModelEvent> {
    const { sequence } = this;
    try {
      for (;;) {
        const entered = await sequence.admitNext();
        const result =
          entered instanceof ProviderError
            ? entered
            : sequence.settle(entered, yield* this.streamed(entered));
        if (!(result instanceof ProviderError)) {
          const { answer, attempt, usage } = result;
          const { finishReason, warning } = answer;
          const { model } = attempt;
          yield { type: 'finished', model, finishReason, usage, attempts: sequence.attempts, warning };
          return;
        }
        const shown = entered instanceof ProviderError ? undefined : visibleAttempt(entered);
        const goesOn = shown ? this.restartsAfter(shown, result) : await sequence.retryOrFallBack(result);
        if (!goesOn) throw sequence.failure(result);
      }
    } finally {
      sequence.abandon();
    }
  }

  private streamed({ attempt: { attempt, model, ignored } }: AdmittedAttempt<RunningAttempt>) {
    return attempt.stream({ type: this.restarted ? 'restarted' : 'started', model, ignored });
  }

  /** Allows one restart, on another model, of an answer that broke off midway, if it consists of text only. */
  private restartsAfter(shown: Attempt, error: ProviderError): boolean {
    if (this.restarted || this.options.call.restart !== 'once') return false;
    if (shown.calledTools || !this.sequence.fallBack(error)) return false;
    this.restarted = true;
    return true;
  }

  private attemptAt({
    resolved,
    number,
    apiKey,
    onBegun,
  }: Parameters<CreateAttempt<RunningAttempt>>[0]): RunningAttempt {
    const { call, deadlinesOf, prices } = this.options;
    const { modelProvider: provider, ...model } = resolved;
    const native = call.native?.protocol === provider.protocol ? call.native : undefined;
    const { request, ignored } = native ? passThrough(call) : adaptForModel(call, resolved);
    const attempt = new Attempt({
      number,
      provider,
      model,
      request,
      ownChoices: call.serverDefaults,
      native,
      apiKey,
      signal: call.signal,
      deadlines: deadlinesOf(provider.id),
      prices,
      onBegun,
    });
    const inCallerFormat = provider.protocol === (call.native?.protocol ?? 'openai');
    return {
      attempt,
      model,
      ignored,
      inCallerFormat,
      record: (outcome) => attempt.record(outcome),
    };
  }
}

/** Returns the attempt if any part of its answer was passed on. */
function visibleAttempt({ attempt: { attempt } }: AdmittedAttempt<RunningAttempt>): Attempt | undefined {
  return attempt.shown ? attempt : undefined;
}

/** Passes the request on unchanged: a provider that uses the caller's own protocol receives all of it. */
function passThrough({ request }: ModelCall): AdaptedRequest {
  return { request, ignored: [] };
}

/**
 * Fits a request to the API format and then to the model. Names of parameters that the caller did not send are
 * not reported.
 */
function adaptForModel(
  { request, native, serverDefaults: ownChoices = [] }: ModelCall,
  { modelProvider: source, provider, model, name }: ResolvedModel,
): AdaptedRequest {
  const own = withoutForeignData(request, provider);
  const fitted = adaptRequest(own, source.protocol, name, native !== undefined);
  const dropped = source.droppedParameters?.(fitted.request, model) ?? [];
  const ignored = new Set([...fitted.ignored, ...dropped, ...(native?.droppableFields ?? [])]);
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
 * Returns the models that can honor a request.
 * @throws AppError `invalid_request`, the refusal of the first model, if none can
 */
export function compatibleModels(
  call: Pick<ModelCall, 'request' | 'native'>,
  chain: readonly ResolvedModel[],
): readonly ResolvedModel[] {
  const able = chain.filter(
    ({ modelProvider: source }) => findUnsupportedField(source.protocol, call) === undefined,
  );
  const [first] = chain;
  if (able.length === 0 && first !== undefined) {
    throw unsupportedParameterError(
      findUnsupportedField(first.modelProvider.protocol, call) ?? 'model',
      first.name,
      call.request,
    );
  }
  return able;
}

/** Returns the first field of the caller's request that a protocol cannot carry. */
function findUnsupportedField(
  protocol: Protocol,
  { request, native }: Pick<ModelCall, 'request' | 'native'>,
): string | undefined {
  return native?.protocol === protocol
    ? undefined
    : (native?.nativeOnlyField ?? unsupportedParameter(request, protocol));
}
