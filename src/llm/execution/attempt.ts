import type { DeadlineConfig } from '../../config/index.js';
import { UsageMeter } from './usage-meter.js';
import { type AttemptFailure, type AttemptResult, toAttemptFailure } from './attempt-result.js';
import { Deadlines } from './deadlines.js';
import {
  type AttemptRecord,
  type ChatRequest,
  type FinishReason,
  type ModelEvent,
  type ModelIdentity,
  type ModelProvider,
  type NativeRequest,
  type ServerDefault,
  type ProviderCall,
  type CompleteAnswer,
  ProviderError,
} from '../port/index.js';
import type { PriceTable } from '../accounting/price-table.js';

/** The result of a streamed answer. */
export interface StreamedAnswer {
  readonly finishReason: FinishReason;
  readonly warning: string | null;
}

export interface AttemptOptions {
  readonly number: number;
  readonly provider: ModelProvider;
  readonly model: ModelIdentity;
  readonly request: ChatRequest;
  /** The properties of the request that the caller did not choose. */
  readonly ownChoices: readonly ServerDefault[] | undefined;
  /** The request in the provider's API format, if the caller uses that protocol. */
  readonly native: NativeRequest | undefined;
  /** The user's own key for the provider. */
  readonly apiKey: string | undefined;
  /** The caller's signal. Aborting it cancels the attempt. */
  readonly signal: AbortSignal;
  readonly deadlines: DeadlineConfig;
  readonly prices: PriceTable;
  /** Called when the first output of a stream arrives. */
  readonly onBegun: () => void;
}

/**
 * One attempt at one model, within its deadlines. It never throws: it ends with a result, and with a record of
 * its usage.
 */
export class Attempt {
  private readonly meter: UsageMeter;
  private startedEmitted = false;

  constructor(private readonly options: AttemptOptions) {
    this.meter = new UsageMeter(options.request);
  }

  /** Returns true if any part of the answer was passed on. */
  get shown(): boolean {
    return this.startedEmitted;
  }

  /** Returns true if the answer contained a tool call. */
  get calledTools(): boolean {
    return this.meter.calledTools;
  }

  /**
   * Yields the announcement when the answer begins, then its chunks, and returns the outcome. Chunks that
   * arrive before any output are held back until there is some: until then another attempt can replace this
   * one.
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
          this.meter.addPartialUsage(event.usage);
          continue;
        }
        for (const chunk of event.type === 'relayed' ? event.chunks : [event.chunk]) this.meter.add(chunk);
        if (!this.meter.hasOutput) {
          early.push(event);
          continue;
        }
        deadlines.progress();
        if (!this.startedEmitted) {
          this.startedEmitted = true;
          this.options.onBegun();
          yield announcement;
          yield* early;
        }
        deadlines.pause();
        yield event;
        deadlines.resume();
      }
    } catch (error) {
      const failure = this.failure(error, deadlines);
      // After the finish reason the answer is complete, whatever the provider does afterwards.
      if (this.meter.finishReason === null || failure.status !== 'failed') return failure;
    } finally {
      deadlines.stop();
    }
    const { finishReason } = this.meter;
    if (finishReason === null) return { status: 'failed', error: endedEarly() };
    return { status: 'completed', answer: { finishReason, warning } };
  }

  /** Waits for the whole answer. */
  async complete(): Promise<AttemptResult<CompleteAnswer>> {
    const { provider, signal } = this.options;
    const deadlines = Deadlines.ofAnswer(signal, this.options.deadlines);
    try {
      const answer = await provider.complete(this.callFor(deadlines));
      this.meter.addCompletion(answer.completion);
      return { status: 'completed', answer };
    } catch (error) {
      return this.failure(error, deadlines);
    } finally {
      deadlines.stop();
    }
  }

  /**
   * Returns the record of the attempt. Its usage is the provider's own if reported, else a local estimate
   * marked as such.
   */
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

  private failure(error: unknown, deadlines: Deadlines): AttemptFailure {
    const { signal } = this.options;
    // A provider reads and bills the request even if nobody waits for its answer any more.
    if (signal.aborted || deadlines.exceeded) this.meter.assumeSent();
    return toAttemptFailure(error, signal, deadlines);
  }
}

function endedEarly(): ProviderError {
  return new ProviderError('broken_answer', 'The provider ended the stream before the answer was complete.');
}
