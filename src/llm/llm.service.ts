import { Inject, Injectable, Optional, type OnApplicationShutdown } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { Clock } from '../common/clock.js';
import { type DeadlineConfig, llmConfig } from '../config/index.js';
import { type TokenEstimate, estimateChat, estimateEmbedding } from './accounting/estimate.js';
import { PriceTable } from './accounting/price-table.js';
import { isCacheable } from './cache/cached-answer.js';
import { CachedCalls } from './cache/cached-calls.js';
import { compatibleModels, CallRunner } from './execution/call-runner.js';
import { countRequestTokens } from './execution/count-tokens.js';
import { Deadlines } from './execution/deadlines.js';
import { MediaSupport } from './models/media-support.js';
import { cancelledCall, toModelCallError } from './port/model-call-error.js';
import { ModelDirectory, type ProviderHealth, type ResolvedModel } from './models/model-directory.js';
import { EmbeddingAttempt } from './execution/embedding-attempt.js';
import {
  type AttemptRecord,
  Budget,
  type BudgetLease,
  type CountingCall,
  CredentialSource,
  type EmbeddingRequest,
  type Embeddings,
  mediaIn,
  type MediaKind,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  ProviderError,
  UsageSink,
  type Wire,
} from './port/index.js';
import { ProviderGates } from './resilience/provider-gates.js';
import { SharedLease } from './execution/shared-lease.js';
import { AttemptSequence, type TriesOptions } from './execution/attempt-sequence.js';
import { type ContextWindow, smallestOf, ContextWindows } from './models/context-windows.js';

/** The face of the model layer: features ask it and know nothing of providers. It stores nothing. */
@Injectable()
export class LlmService implements OnApplicationShutdown {
  private readonly windows: ContextWindows;
  private readonly readers = new MediaSupport();

  constructor(
    private readonly directory: ModelDirectory,
    private readonly gates: ProviderGates,
    private readonly sink: UsageSink,
    private readonly budget: Budget,
    private readonly prices: PriceTable,
    private readonly cached: CachedCalls,
    @Inject(llmConfig.KEY) private readonly config: ConfigType<typeof llmConfig>,
    private readonly clock: Clock,
    @Optional() private readonly credentials?: CredentialSource,
  ) {
    this.windows = new ContextWindows(config.windows);
  }

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

  /**
   * How much a model can be told; of an alias the smallest window of its chain. The providers are asked for it at most
   * once in a while, and not waited for long.
   * @throws AppError as `resolve` does
   */
  async contextWindow(name: string | undefined): Promise<ContextWindow> {
    const chain = await this.directory.resolveChain(name);
    const windows = chain.map((model) =>
      this.windows.windowOf(model, () => this.directory.listedWindow(model)),
    );
    return smallestOf(await Promise.all(windows));
  }

  /** The full names of all models. */
  models(): Promise<string[]> {
    return this.directory.names();
  }

  /** The providers that are configured, by the first part of their models' names. */
  providerIds(): readonly string[] {
    return this.directory.providerIds();
  }

  /** The names that stand for chains of models. */
  aliases(): readonly string[] {
    return this.directory.aliasNames;
  }

  /**
   * The name under which to ask for a model on its own wire: a bare one means that wire's provider.
   * @throws AppError `provider_unavailable`, `model_not_found`
   */
  nameOn(wire: Wire, name: string): Promise<string> {
    return this.directory.nameOn(wire, name);
  }

  /**
   * The list of models of the provider of a wire, as it came.
   * @throws AppError `provider_unavailable` and whatever else keeps a provider from answering
   */
  async nativeModels(wire: Wire, userId: string, signal: AbortSignal): Promise<string> {
    const provider = this.directory.speaking(wire);
    const apiKey = await this.credentialOf(userId, provider.id);
    const deadlines = Deadlines.ofAnswer(signal, this.config.deadlines);
    try {
      return await provider.nativeModels({ signal: deadlines.signal, ...withKey(apiKey) });
    } catch (error) {
      if (signal.aborted) throw cancelledCall([]);
      const failure = deadlines.passed ?? error;
      throw failure instanceof ProviderError ? toModelCallError(failure, []) : failure;
    } finally {
      deadlines.stop();
    }
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
   * @throws AppError `model_not_found`, `provider_unavailable`, `invalid_request`, and what the `Budget` throws, before
   *   any attempt
   */
  async *stream(call: ModelCall): AsyncGenerator<ModelEvent> {
    const runner = await this.runner(call);
    const streamed = (): AsyncGenerator<ModelEvent> => this.streamed(call, runner);
    yield* isCacheable(call)
      ? this.cached.stream(call, runner.models, streamed, (attempts) => {
          this.account(call, attempts);
        })
      : streamed();
  }

  private async *streamed(call: ModelCall, runner: CallRunner): AsyncGenerator<ModelEvent> {
    const lease = await this.leaseFor(call, runner);
    try {
      yield* runner.stream();
    } finally {
      lease?.settle(runner.attempts);
      this.account(call, runner.attempts);
    }
  }

  /**
   * Waits for a whole answer.
   * @param shared the lease of a request of several calls; without it the call has its own
   * @throws ModelCallError, AppError as `stream` does
   */
  async complete(call: ModelCall, shared?: SharedLease): Promise<ModelAnswer> {
    const runner = await this.runner(call);
    if (!isCacheable(call)) return this.completed(call, runner, shared);
    return this.cached.complete(
      call,
      runner.models,
      () => this.completed(call, runner, shared),
      (attempts) => {
        this.account(call, attempts);
      },
    );
  }

  private async completed(call: ModelCall, runner: CallRunner, shared?: SharedLease): Promise<ModelAnswer> {
    const lease = await (shared?.join() ?? this.leaseFor(call, runner));
    try {
      return { ...(await runner.complete()), attempts: runner.attempts };
    } finally {
      lease?.settle(runner.attempts);
      this.account(call, runner.attempts);
    }
  }

  /**
   * Asks the budget before a call is made, for whoever must know before it stores anything. The caller then makes the
   * call with `reserved`, and settles the lease whatever becomes of it.
   * @throws AppError `rate_limit_exceeded`, `quota_exceeded`, `price_unknown`, `invalid_request` where no model can
   *   honour the request, and as `resolve` does
   */
  async reserve(
    call: Pick<ModelCall, 'userId' | 'apiKeyId' | 'model' | 'request'> & {
      /** Tokens of files that the request is going to hold. */
      readonly fileTokens?: number;
    },
  ): Promise<BudgetLease> {
    const { input, output } = estimateChat(call.request);
    const estimate = { input: input + (call.fileTokens ?? 0), output };
    const chain = compatibleModels(call, await this.directory.resolveChain(call.model));
    return this.ask(call, chain, estimate, 1);
  }

  /**
   * Returns one lease for several calls of a request to one model: their tokens together, and the place of one answer.
   * The caller passes it to `complete` with each of the calls, and settles it after the last.
   */
  shareLease(calls: readonly ModelCall[]): SharedLease {
    return new SharedLease(async () => {
      const [first] = calls;
      if (first === undefined) throw new Error('A lease for no calls was asked for.');
      const estimates = calls.map(({ request }) => estimateChat(request));
      const input = estimates.reduce((sum, estimate) => sum + estimate.input, 0);
      const output = estimates.reduce((sum, estimate) => sum + estimate.output, 0);
      const chain = compatibleModels(first, await this.directory.resolveChain(first.model));
      return this.ask(first, chain, { input, output }, 1);
    });
  }

  /**
   * Whether a model of a name can be given all of these besides text. What is not known counts as yes: the model then
   * says so itself.
   * @throws AppError as `resolve` does
   */
  async reads(
    { model, userId }: Pick<ModelCall, 'model' | 'userId'>,
    kinds: ReadonlySet<MediaKind>,
  ): Promise<boolean> {
    return (await this.modelsSupporting(await this.directory.resolveChain(model), userId, kinds)).length > 0;
  }

  private modelsSupporting(
    chain: readonly ResolvedModel[],
    userId: string,
    kinds: ReadonlySet<MediaKind>,
  ): Promise<readonly ResolvedModel[]> {
    return this.readers.among(chain, kinds, (provider) => this.credentialOf(userId, provider));
  }

  /** Of several models those that can read what the request holds; all of them where none can, to say so themselves. */
  private async chainFor({ model, userId, request }: ModelCall): Promise<readonly ResolvedModel[]> {
    const chain = await this.directory.resolveChain(model);
    const kinds = mediaIn(request);
    if (chain.length < 2 || kinds.size === 0) return chain;
    const readers = await this.modelsSupporting(chain, userId, kinds);
    return readers.length > 0 ? readers : chain;
  }

  private async leaseFor(call: ModelCall, { chain }: CallRunner): Promise<BudgetLease | undefined> {
    return call.reserved === true ? undefined : this.ask(call, chain, estimateChat(call.request), 1);
  }

  private async ask(
    { userId, apiKeyId = null }: Pick<ModelCall, 'userId' | 'apiKeyId'>,
    chain: readonly ModelIdentity[],
    { input, output }: TokenEstimate,
    generations: number,
  ): Promise<BudgetLease> {
    return this.budget.reserve({
      userId,
      apiKeyId,
      tokens: input + output,
      cost: () => this.prices.dearest(chain, input, output),
      generations,
      charged: await this.isCharged(userId, chain),
    });
  }

  /** Whether the server's keys pay for any model that may be asked; whoever has keys for all of them pays alone. */
  private async isCharged(userId: string, chain: readonly ModelIdentity[]): Promise<boolean> {
    if (this.credentials === undefined) return true;
    const providers = [...new Set(chain.map(({ provider }) => provider))];
    const own = await Promise.all(providers.map((provider) => this.credentialOf(userId, provider)));
    return own.includes(undefined);
  }

  private account(call: ModelCall, attempts: readonly AttemptRecord[]): void {
    if (call.accounting === 'sink') this.sink.record(call, attempts);
  }

  /**
   * Vectors of texts. The usage goes to the sink.
   * @throws ModelCallError, AppError as `stream` does
   */
  async embed(request: EmbeddingRequest): Promise<Embeddings> {
    const { signal, userId } = request;
    const chain = await this.directory.resolveChain(request.model);
    const lease = await this.ask(request, chain, estimateEmbedding(request.input), 0);
    const tries = new AttemptSequence(
      { chain, signal, ...this.tryOptions(userId) },
      ({ resolved: { source: provider, ...model }, number, apiKey }) =>
        new EmbeddingAttempt({
          number,
          provider,
          model,
          request,
          apiKey,
          prices: this.prices,
          deadlines: this.deadlinesOf(provider.id),
        }),
    );
    try {
      const { trial, answer } = await tries.answer((attempt) => attempt.run());
      return { model: trial.model, vectors: answer.vectors, attempts: tries.attempts };
    } finally {
      lease.settle(tries.attempts);
      this.sink.record(request, tries.attempts);
    }
  }

  /**
   * The tokens that a request takes, by the first model that could honour it. An estimate where its provider does not
   * count, or cannot at the moment.
   * @throws ModelCallError, AppError as `stream` does, where the request itself is wrong
   */
  async countTokens(call: CountingCall): Promise<number> {
    const chain = await this.directory.resolveChain(call.model);
    const [model] = compatibleModels(call, chain);
    if (model === undefined) throw new Error('A chain without models was resolved.');
    const apiKey = await this.credentialOf(call.userId, model.provider);
    return countRequestTokens({ ...call, ...withKey(apiKey) }, model, this.config.deadlines);
  }

  private async runner(call: ModelCall): Promise<CallRunner> {
    const chain = await this.chainFor(call);
    const deadlinesOf = (provider: string): DeadlineConfig => this.deadlinesOf(provider);
    return new CallRunner({ call, chain, deadlinesOf, prices: this.prices, ...this.tryOptions(call.userId) });
  }

  private tryOptions(userId: string): Omit<TriesOptions, 'chain' | 'signal'> {
    return {
      maxRetries: this.config.maxRetries,
      clock: this.clock,
      gateOf: (provider) => this.gates.of(provider),
      credentialOf: (provider) => this.credentialOf(userId, provider),
    };
  }

  private credentialOf(userId: string, provider: string): Promise<string | undefined> {
    return this.credentials?.credentialFor(userId, provider) ?? Promise.resolve(undefined);
  }

  /** A host may need longer to its first token than others: a model that is loaded on demand, a slow machine. */
  private deadlinesOf(provider: string): DeadlineConfig {
    const { deadlines, hostFirstTokenMs } = this.config;
    return { ...deadlines, firstTokenMs: hostFirstTokenMs.get(provider) ?? deadlines.firstTokenMs };
  }
}

function withKey(apiKey: string | undefined): { readonly apiKey?: string } {
  return apiKey === undefined ? {} : { apiKey };
}
