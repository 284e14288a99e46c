import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AppConfig, type DeadlineConfig } from '../config/index.js';
import { ableModels, CallRunner } from './call-runner.js';
import { countCall } from './count-call.js';
import { cancelledCall, toModelCallError } from './model-call-error.js';
import { ModelDirectory, type ProviderHealth, type ResolvedModel } from './model-directory.js';
import { EmbeddingAttempt } from './embedding-attempt.js';
import {
  type CountingCall,
  type EmbeddingRequest,
  type Embeddings,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  UsageSink,
} from './port/index.js';
import { ProviderGates } from './resilience/provider-gates.js';

/** The face of the model layer: features ask it and know nothing of providers. It stores nothing. */
@Injectable()
export class LlmService implements OnApplicationShutdown {
  constructor(
    private readonly directory: ModelDirectory,
    private readonly gates: ProviderGates,
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

  /**
   * The name under which a call that is kept asks: full, or an alias as it is, whose chain is looked up anew.
   * @throws AppError as `resolve` does
   */
  canonicalName(name: string | undefined): Promise<string> {
    return this.directory.canonical(name);
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
    const runner = await this.runner(call);
    try {
      yield* runner.stream();
    } finally {
      if (call.accounting === 'sink') this.sink.record(call, runner.attempts);
    }
  }

  /**
   * Waits for a whole answer.
   * @throws ModelCallError, AppError as `stream` does
   */
  async complete(call: ModelCall): Promise<ModelAnswer> {
    const runner = await this.runner(call);
    try {
      return { ...(await runner.complete()), attempts: runner.attempts };
    } finally {
      if (call.accounting === 'sink') this.sink.record(call, runner.attempts);
    }
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
    if (result.status === 'cancelled') throw cancelledCall([record]);
    if (result.status === 'failed') throw toModelCallError(result.error, [record]);
    return { model, vectors: result.answer.vectors, attempts: [record] };
  }

  /**
   * The tokens that a request takes, by the first model that could honour it. An estimate where its provider does not
   * count, or cannot at the moment.
   * @throws ModelCallError, AppError as `stream` does, where the request itself is wrong
   */
  async countTokens(call: CountingCall): Promise<number> {
    const chain = await this.directory.resolveChain(call.model);
    const [model] = ableModels(call, chain);
    if (model === undefined) throw new Error('A chain without models was resolved.');
    return countCall(call, model, this.config.llm.deadlines);
  }

  private async runner(call: ModelCall): Promise<CallRunner> {
    const { maxRetries } = this.config.llm;
    const chain = await this.directory.resolveChain(call.model);
    return new CallRunner({
      call,
      chain,
      maxRetries,
      deadlinesOf: (provider) => this.deadlinesOf(provider),
      gateOf: (provider) => this.gates.of(provider),
    });
  }

  /** A host may need longer to its first token than others: a model that is loaded on demand, a slow machine. */
  private deadlinesOf(provider: string): DeadlineConfig {
    const { deadlines, hosts } = this.config.llm;
    const firstTokenMs = hosts.find(({ id }) => id === provider)?.firstTokenMs ?? deadlines.firstTokenMs;
    return { ...deadlines, firstTokenMs };
  }
}
