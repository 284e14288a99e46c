import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AppConfig } from '../config/index.js';
import { Attempt, type AttemptResult } from './attempt.js';
import { cancelledCall, toModelCallError } from './model-call-error.js';
import { ModelDirectory, type ProviderHealth, type ResolvedModel } from './model-directory.js';
import { EmbeddingAttempt } from './embedding-attempt.js';
import { adaptRequest } from './parameters.js';
import {
  type AttemptRecord,
  type EmbeddingRequest,
  type Embeddings,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  UsageSink,
} from './port/index.js';

/** The face of the model layer: features ask it and know nothing of providers. It stores nothing. */
@Injectable()
export class LlmService implements OnApplicationShutdown {
  constructor(
    private readonly directory: ModelDirectory,
    private readonly sink: UsageSink,
    private readonly config: AppConfig,
  ) {}

  /**
   * The model of a name, or the default one.
   * @throws AppError `model_not_found`, `provider_unavailable`
   */
  resolve(name: string | undefined): Promise<ResolvedModel> {
    return this.directory.resolve(name);
  }

  /** The full names of all models. */
  models(): Promise<string[]> {
    return this.directory.names();
  }

  /** How each provider is. */
  health(): Promise<ProviderHealth[]> {
    return this.directory.health();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.directory.close();
  }

  /**
   * Streams an answer. The last event is `finished`; it carries the records of all attempts for the caller to commit.
   * @throws ModelCallError with the attempts' records, where no complete answer came or the call was aborted
   * @throws AppError `model_not_found`, `provider_unavailable`, `invalid_request` before any attempt
   */
  async *stream(call: ModelCall): AsyncGenerator<ModelEvent> {
    const { attempt, model, ignored } = await this.prepare(call);
    // Stands where the consumer leaves in the middle: then nothing below the loop runs but the `finally`.
    let outcome: AttemptRecord['outcome'] = 'cancelled';
    try {
      yield { type: 'started', model, ignored };
      const result = yield* attempt.stream();
      outcome = result.status;
      const record = attempt.record(outcome);
      const { finishReason, warning } = answerOf(result, record);
      yield { type: 'finished', model, finishReason, usage: record.usage, attempts: [record], warning };
    } finally {
      if (call.accounting === 'sink') this.sink.record(call, [attempt.record(outcome)]);
    }
  }

  /**
   * Waits for a whole answer.
   * @throws ModelCallError, AppError as `stream` does
   */
  async complete(call: ModelCall): Promise<ModelAnswer> {
    const { attempt, model, ignored } = await this.prepare(call);
    const result = await attempt.complete();
    const record = attempt.record(result.status);
    if (call.accounting === 'sink') this.sink.record(call, [record]);
    return { model, ignored, completion: answerOf(result, record), attempts: [record] };
  }

  /**
   * Vectors of texts. The usage goes to the sink.
   * @throws ModelCallError, AppError as `stream` does
   */
  async embed(request: EmbeddingRequest): Promise<Embeddings> {
    const { source, ...model } = await this.directory.resolve(request.model);
    const attempt = new EmbeddingAttempt({
      provider: source,
      model,
      request,
      deadlines: this.config.llm.deadlines,
    });
    const result = await attempt.run();
    const record = attempt.record(result.status);
    this.sink.record(request, [record]);
    return { model, vectors: answerOf(result, record).vectors, attempts: [record] };
  }

  private async prepare(call: ModelCall): Promise<Prepared> {
    const { source, ...model } = await this.directory.resolve(call.model);
    const { request, ignored } = adaptRequest(call.request, source.wire, model.name);
    const { deadlines } = this.config.llm;
    const attempt = new Attempt({
      number: 1,
      provider: source,
      model,
      request,
      signal: call.signal,
      deadlines,
    });
    return { attempt, model, ignored };
  }
}

interface Prepared {
  readonly attempt: Attempt;
  readonly model: ModelIdentity;
  readonly ignored: readonly string[];
}

/** The answer of an attempt that has one. */
function answerOf<Answer>(result: AttemptResult<Answer>, record: AttemptRecord): Answer {
  if (result.status === 'cancelled') throw cancelledCall([record]);
  if (result.status === 'failed') throw toModelCallError(result.error, [record]);
  return result.answer;
}
