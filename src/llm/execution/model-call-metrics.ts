import { toUsd } from '../../common/money.js';
import type { Metrics } from '../../infra/metrics/index.js';
import { currentRequestUsage } from '../../infra/telemetry/index.js';
import type { ModelLabels } from '../models/model-labels.js';
import type { AttemptRecord, ModelIdentity, ProviderError } from '../port/index.js';
import type { AttemptResult } from './attempt-result.js';

/** The operations that models are called for, as OpenTelemetry names them. */
export type ModelOperation = 'chat' | 'embeddings';

/** Measures one attempt from the moment that its provider is called. */
export interface AttemptTimer {
  /** Reports the first output of a stream. */
  begun(): void;
  /** Reports the end of the attempt. Must be called once. */
  end(record: AttemptRecord, result: AttemptResult<unknown>): void;
}

/** Counts calls of models, for the metrics and for the log line of the request that made them. */
export class ModelCallMetrics {
  constructor(
    private readonly metrics: Metrics,
    private readonly labels: ModelLabels,
  ) {}

  /** Starts to measure an attempt. */
  startAttempt(operation: ModelOperation, model: ModelIdentity): AttemptTimer {
    const startedAt = performance.now();
    const elapsedSeconds = (): number => (performance.now() - startedAt) / 1000;
    const labels = {
      gen_ai_operation_name: operation,
      gen_ai_provider_name: model.provider,
      gen_ai_request_model: this.labels.labelOf(model),
    };
    let hasBegun = false;
    return {
      begun: () => {
        if (hasBegun) return;
        hasBegun = true;
        this.metrics.timeToFirstToken.observe(labels, elapsedSeconds());
      },
      end: (record, result) => {
        const errorType = errorTypeOf(result);
        const failed = { ...labels, ...(errorType !== undefined && { error_type: errorType }) };
        this.metrics.operationDuration.observe(failed, elapsedSeconds());
        this.metrics.attempts.inc({ ...failed, outcome: record.outcome });
        this.countUsage(labels, record);
        this.attribute(model, record);
      },
    };
  }

  /** Counts an attempt that its provider's gate did not admit. */
  countRejection({ provider }: ModelIdentity, { kind }: ProviderError): void {
    if (kind !== 'circuit_open' && kind !== 'overloaded') return;
    this.metrics.rejectedAttempts.inc({ gen_ai_provider_name: provider, reason: kind });
  }

  /** Counts an attempt at the same model, or at the next one, that follows a failure. */
  countNextAttempt(step: 'retry' | 'fallback', failed: ModelIdentity, { kind }: ProviderError): void {
    const counter = step === 'retry' ? this.metrics.retries : this.metrics.fallbacks;
    counter.inc({
      gen_ai_provider_name: failed.provider,
      gen_ai_request_model: this.labels.labelOf(failed),
      error_type: kind,
    });
  }

  /**
   * Counts a lookup in the cache of answers.
   * @param hit the cached answer's model and record; undefined if the answer was not cached
   */
  countLookup(hit?: { readonly model: ModelIdentity; readonly record: AttemptRecord }): void {
    this.metrics.cacheLookups.inc({ result: hit === undefined ? 'miss' : 'hit' });
    if (hit !== undefined) this.attribute(hit.model, hit.record);
  }

  private countUsage(
    labels: Readonly<
      Record<'gen_ai_operation_name' | 'gen_ai_provider_name' | 'gen_ai_request_model', string>
    >,
    { usage, costMicroUsd, ownKey }: AttemptRecord,
  ): void {
    const { tokens, tokenUsage, cost } = this.metrics;
    const { inputTokens, outputTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = usage;
    if (inputTokens > 0) {
      tokenUsage.observe({ ...labels, gen_ai_token_type: 'input' }, inputTokens);
      tokens.inc({ ...labels, token_type: 'input' }, inputTokens);
    }
    if (outputTokens > 0) {
      tokenUsage.observe({ ...labels, gen_ai_token_type: 'output' }, outputTokens);
      tokens.inc({ ...labels, token_type: 'output' }, outputTokens);
    }
    if (cachedTokens > 0) tokens.inc({ ...labels, token_type: 'cache_read' }, cachedTokens);
    if (cacheWriteTokens > 0) tokens.inc({ ...labels, token_type: 'cache_write' }, cacheWriteTokens);
    if (reasoningTokens > 0) tokens.inc({ ...labels, token_type: 'reasoning' }, reasoningTokens);
    const usd = toUsd(costMicroUsd) ?? 0;
    if (usd > 0) cost.inc({ ...labels, key_owner: ownKey === true ? 'user' : 'server' }, usd);
  }

  private attribute(model: ModelIdentity, { usage, costMicroUsd }: AttemptRecord): void {
    const request = currentRequestUsage();
    if (request === undefined) return;
    request.model = `${model.provider}/${this.labels.labelOf(model)}`;
    request.inputTokens += usage.inputTokens;
    request.outputTokens += usage.outputTokens;
    request.costMicroUsd += costMicroUsd ?? 0n;
    if (costMicroUsd === null) request.unpriced += 1;
  }
}

function errorTypeOf(result: AttemptResult<unknown>): string | undefined {
  if (result.status === 'completed') return undefined;
  return result.status === 'failed' ? result.error.kind : result.status;
}
