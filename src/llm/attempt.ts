import { AppError } from '../common/errors.js';
import type { DeadlineConfig } from '../config/index.js';
import { AnswerMeter } from './answer-meter.js';
import { Deadlines } from './deadlines.js';
import {
  type AttemptRecord,
  type ChatRequest,
  type FinishReason,
  type ModelEvent,
  type ModelIdentity,
  type ModelProvider,
  type NativeRequest,
  type OwnChoice,
  type ProviderCall,
  type WholeAnswer,
  ProviderError,
} from './port/index.js';
import type { PriceTable } from './accounting/price-table.js';

/** How an attempt ended. */
export type AttemptResult<Answer> =
  | { readonly status: 'completed'; readonly answer: Answer }
  | { readonly status: 'failed'; readonly error: ProviderError }
  | { readonly status: 'cancelled' };

/** What a streamed answer comes to. */
export interface StreamedAnswer {
  readonly finishReason: FinishReason;
  readonly warning: string | null;
}

export interface AttemptOptions {
  readonly number: number;
  readonly provider: ModelProvider;
  readonly model: ModelIdentity;
  readonly request: ChatRequest;
  /** The choices in the request that the caller did not make. */
  readonly ownChoices: readonly OwnChoice[] | undefined;
  /** The request in the provider's own words, where the caller speaks its wire. */
  readonly native: NativeRequest | undefined;
  /** The user's own key of the provider. */
  readonly apiKey: string | undefined;
  /** The caller's: aborting it cancels the attempt. */
  readonly signal: AbortSignal;
  readonly deadlines: DeadlineConfig;
  readonly prices: PriceTable;
  /** Called when the first output of a stream is there. */
  readonly onBegun: () => void;
}

/** One attempt at one model, under the deadlines. It never throws: it ends with a result, and with a record of what it used. */
export class Attempt {
  private readonly meter: AnswerMeter;
  private announced = false;

  constructor(private readonly options: AttemptOptions) {
    this.meter = new AnswerMeter(options.request);
  }

  /** Whether anything of the answer was passed on. */
  get shown(): boolean {
    return this.announced;
  }

  /** Whether a tool call was among it. */
  get calledTools(): boolean {
    return this.meter.calledTools;
  }

  /**
   * Yields the announcement when the answer begins, then the chunks that came, whatever the end; returns how it ended.
   * Chunks that come before there is any output wait for it: until then another attempt can take this one's place.
   */
  async *stream(announcement: ModelEvent): AsyncGenerator<ModelEvent, AttemptResult<StreamedAnswer>> {
    const { provider, signal } = this.options;
    const deadlines = Deadlines.ofStream(signal, this.options.deadlines);
    const early: ModelEvent[] = [];
    let warning: string | null = null;
    try {
      for await (const event of provider.stream(this.callFor(deadlines))) {
        if (event.type === 'skipped') {
          warning = event.reason;
          continue;
        }
        if (event.type === 'usage') {
          this.meter.addUsageSoFar(event.usage);
          continue;
        }
        for (const chunk of event.type === 'relayed' ? event.chunks : [event.chunk]) this.meter.add(chunk);
        if (!this.meter.begun) {
          early.push(event);
          continue;
        }
        deadlines.progress();
        if (!this.announced) {
          this.announced = true;
          this.options.onBegun();
          yield announcement;
          yield* early;
        }
        deadlines.hold();
        yield event;
        deadlines.release();
      }
    } catch (error) {
      // Where the finish reason had come the answer was there when the connection failed, and is complete.
      if (this.meter.finishReason === null || signal.aborted) return this.failure(error, deadlines);
    } finally {
      deadlines.stop();
    }
    const { finishReason } = this.meter;
    if (finishReason === null) return { status: 'failed', error: endedEarly() };
    return { status: 'completed', answer: { finishReason, warning } };
  }

  /** Waits for the whole answer. */
  async complete(): Promise<AttemptResult<WholeAnswer>> {
    const { provider, signal } = this.options;
    const deadlines = Deadlines.ofAnswer(signal, this.options.deadlines);
    try {
      const answer = await provider.complete(this.callFor(deadlines));
      this.meter.addWhole(answer.completion);
      return { status: 'completed', answer };
    } catch (error) {
      return this.failure(error, deadlines);
    } finally {
      deadlines.stop();
    }
  }

  /** What the attempt used. With figures of the provider where it told them, else counted by us and marked so. */
  record(outcome: AttemptRecord['outcome']): AttemptRecord {
    const { number, model, apiKey, prices } = this.options;
    const { usage, estimated } = this.meter.usage();
    const costMicroUsd = prices.costOf(model, usage);
    return {
      attempt: number,
      provider: model.provider,
      model: model.model,
      outcome,
      usage,
      estimated,
      costMicroUsd,
      ...(apiKey !== undefined && { ownKey: true }),
    };
  }

  private callFor({ signal }: Deadlines): ProviderCall {
    const { model, request, ownChoices, native, apiKey } = this.options;
    return {
      model: model.model,
      request,
      signal,
      ...(ownChoices && { ownChoices }),
      ...(native && { native }),
      ...(apiKey !== undefined && { apiKey }),
    };
  }

  private failure(
    error: unknown,
    deadlines: Deadlines,
  ): { status: 'cancelled' } | { status: 'failed'; error: ProviderError } {
    const { passed } = deadlines;
    // Whoever stops waiting has asked all the same.
    if (this.options.signal.aborted || passed) this.meter.assumeSent();
    if (this.options.signal.aborted) return { status: 'cancelled' };
    return { status: 'failed', error: passed ?? asProviderError(error) };
  }
}

/** Whatever a provider threw, as an error of its kinds. */
export function asProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  // A mapping that cannot carry the request. `toModelCallError` keeps its code and field.
  if (error instanceof AppError) return new ProviderError('rejected', error.message, { cause: error });
  return new ProviderError('broken_answer', 'The answer could not be read.', { cause: error });
}

function endedEarly(): ProviderError {
  return new ProviderError(
    'broken_answer',
    'The provider ended the answer without saying that it is complete.',
  );
}
