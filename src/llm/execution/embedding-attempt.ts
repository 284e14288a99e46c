import type { DeadlineConfig } from '../../config/index.js';
import { type AttemptResult, toAttemptFailure } from './attempt-result.js';
import { Deadlines } from './deadlines.js';
import {
  type AttemptRecord,
  type EmbeddingRequest,
  type EmbeddingResult,
  type ModelIdentity,
  type ModelProvider,
  ProviderError,
} from '../port/index.js';
import type { PriceTable } from '../accounting/price-table.js';
import { countTokens } from '../accounting/token-counter.js';

/** One attempt to embed texts. Like an attempt at an answer, it never throws and leaves a record. */
export class EmbeddingAttempt {
  private result: EmbeddingResult | undefined;
  readonly model: ModelIdentity;

  constructor(
    private readonly options: {
      /** Number of the attempt within the call, starting at 1. */
      readonly number: number;
      readonly provider: ModelProvider;
      readonly model: ModelIdentity;
      readonly request: EmbeddingRequest;
      /** The user's own key for the provider. */
      readonly apiKey: string | undefined;
      readonly deadlines: DeadlineConfig;
      readonly prices: PriceTable;
    },
  ) {
    this.model = options.model;
  }

  async run(): Promise<AttemptResult<EmbeddingResult>> {
    const { provider, model, request, apiKey } = this.options;
    const deadlines = Deadlines.ofAnswer(request.signal, this.options.deadlines);
    try {
      const { input, dimensions } = request;
      this.result = await provider.embed({
        model: model.model,
        input,
        dimensions,
        signal: deadlines.signal,
        ...(apiKey !== undefined && { apiKey }),
      });
      if (this.result.vectors.length === input.length) return { status: 'completed', answer: this.result };
      return {
        status: 'failed',
        error: new ProviderError(
          'unreadable_answer',
          "The model provider's response lacks some of the vectors.",
        ),
      };
    } catch (error) {
      return toAttemptFailure(error, request.signal, deadlines);
    } finally {
      deadlines.stop();
    }
  }

  record(outcome: AttemptRecord['outcome']): AttemptRecord {
    const { number, model, request, apiKey, prices } = this.options;
    const reported = this.result?.inputTokens;
    const inputTokens = reported ?? (this.result === undefined ? 0 : countInput(request.input));
    const usage = {
      inputTokens,
      outputTokens: 0,
      cachedTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: 0,
    };
    return {
      attempt: number,
      provider: model.provider,
      model: model.model,
      outcome,
      usage,
      estimated: reported === undefined,
      costMicroUsd: prices.costOf(model, usage),
      ...(apiKey !== undefined && { ownKey: true }),
    };
  }
}

function countInput(input: string[] | number[][]): number {
  return input.reduce(
    (sum: number, one) => sum + (typeof one === 'string' ? countTokens(one) : one.length),
    0,
  );
}
