import { AnswerMeter } from './answer-meter.js';
import { priceOf } from './prices.js';
import { Deadlines } from './deadlines.js';
import type { DeadlineConfig } from '../config/index.js';
import {
  type AttemptRecord,
  type ChatChunk,
  type FinishReason,
  type ModelIdentity,
  type ModelProvider,
  type ModelCall,
  ProviderError,
} from './port/index.js';

/** How an attempt ended. */
export type AttemptResult =
  | { readonly status: 'completed'; readonly finishReason: FinishReason; readonly warning: string | null }
  | { readonly status: 'failed'; readonly error: ProviderError }
  | { readonly status: 'cancelled' };

/** One attempt at one model: streams its chunks under the deadlines, and always ends with a result and a record. */
export class Attempt {
  private readonly meter: AnswerMeter;

  constructor(
    private readonly options: {
      readonly number: number;
      readonly provider: ModelProvider;
      readonly model: ModelIdentity;
      readonly call: ModelCall;
      readonly deadlines: DeadlineConfig;
    },
  ) {
    this.meter = new AnswerMeter(options.call.request);
  }

  /** Yields the chunks that came, whatever the end; the generator returns how it ended and never throws. */
  async *run(): AsyncGenerator<ChatChunk, AttemptResult> {
    const { provider, model, call } = this.options;
    const deadlines = new Deadlines(this.options.deadlines);
    const signal = AbortSignal.any([call.signal, deadlines.signal]);
    let warning: string | null = null;
    try {
      for await (const event of provider.stream({ model: model.model, request: call.request, signal })) {
        if (event.type === 'skipped') {
          warning = event.reason;
          continue;
        }
        this.meter.add(event.chunk);
        // Some hosts send an empty first chunk at once and begin to think then: it is no token.
        if (this.meter.begun) deadlines.progress();
        yield event.chunk;
      }
    } catch (error) {
      if (call.signal.aborted) return { status: 'cancelled' };
      // The answer was there when the connection failed: a finish reason without the end of the stream is complete.
      if (this.meter.finishReason !== null)
        return { status: 'completed', finishReason: this.meter.finishReason, warning };
      return { status: 'failed', error: deadlines.passed ?? asProviderError(error) };
    } finally {
      deadlines.stop();
    }
    const { finishReason } = this.meter;
    if (finishReason === null) return { status: 'failed', error: endedEarly() };
    return { status: 'completed', finishReason, warning };
  }

  /** What the attempt used. With figures of the provider where it told them, else counted by us and marked so. */
  record(outcome: AttemptRecord['outcome']): AttemptRecord {
    const { number, model } = this.options;
    const { usage, estimated } = this.meter.usage();
    return {
      attempt: number,
      provider: model.provider,
      model: model.model,
      outcome,
      usage,
      estimated,
      costMicroUsd: priceOf(model.provider),
    };
  }
}

function asProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  return new ProviderError('broken_answer', 'The answer could not be read.', { cause: error });
}

function endedEarly(): ProviderError {
  return new ProviderError(
    'broken_answer',
    'The provider ended the answer without saying that it is complete.',
  );
}
