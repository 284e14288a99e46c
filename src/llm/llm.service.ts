import { Inject, Injectable, Optional } from '@nestjs/common';
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
import { toCancelledCallError, toModelCallError } from './port/model-call-error.js';
import { ModelCatalog } from './models/model-catalog.js';
import { ModelDirectory } from './models/model-directory.js';
import { EmbeddingAttempt } from './execution/embedding-attempt.js';
import {
  type AttemptRecord,
  Budget,
  type BudgetLease,
  type CountingCall,
  CredentialSource,
  type EmbeddingRequest,
  type Embeddings,
  type ModelAnswer,
  type ModelCall,
  type ModelEvent,
  type ModelIdentity,
  ProviderError,
  UsageSink,
  type Protocol,
} from './port/index.js';
import { ModelCallMetrics, type ModelOperation } from './execution/model-call-metrics.js';
import { ProviderGates } from './resilience/provider-gates.js';
import { SharedLease } from './execution/shared-lease.js';
import { AttemptSequence, type AttemptSequenceOptions } from './execution/attempt-sequence.js';

/** Calls models for features, which do not depend on providers. It stores nothing. */
@Injectable()
export class LlmService {
  constructor(
    private readonly directory: ModelDirectory,
    private readonly catalog: ModelCatalog,
    private readonly gates: ProviderGates,
    private readonly sink: UsageSink,
    private readonly budget: Budget,
    private readonly prices: PriceTable,
    private readonly cached: CachedCalls,
    @Inject(llmConfig.KEY) private readonly config: ConfigType<typeof llmConfig>,
    private readonly clock: Clock,
    private readonly metrics: ModelCallMetrics,
    @Optional() private readonly credentials?: CredentialSource,
  ) {}

  /**
   * Returns the list of models of a protocol's provider, as received.
   * @throws AppError `provider_unavailable`, and any other failure of the provider
   */
  async listNativeModels(protocol: Protocol, userId: string, signal: AbortSignal): Promise<string> {
    const provider = this.directory.providerForProtocol(protocol);
    const apiKey = await this.credentialOf(userId, provider.id);
    const deadlines = Deadlines.ofAnswer(signal, this.config.deadlines);
    try {
      return await provider.listNativeModels({ signal: deadlines.signal, ...withKey(apiKey) });
    } catch (error) {
      if (signal.aborted) throw toCancelledCallError([]);
      const failure = deadlines.exceeded ?? error;
      throw failure instanceof ProviderError ? toModelCallError(failure, []) : failure;
    } finally {
      deadlines.stop();
    }
  }

  /**
   * Streams an answer. The last event is `finished`; it carries the records of all attempts for the caller to
   * commit.
   * @param reserved lease that the caller has reserved for this call and that is settled here; without it, and unless
   * `hasReservation`, the call has its own
   * @throws ModelCallError with the attempts' records, if there is no complete answer or the call was aborted
   * @throws AppError `model_not_found`, `provider_unavailable`, `invalid_request`, and all errors of the
   * `Budget`, before any attempt
   */
  async *stream(call: ModelCall, reserved?: BudgetLease): AsyncGenerator<ModelEvent> {
    const runner = await this.runner(call).catch((error: unknown) => {
      reserved?.settle([]);
      throw error;
    });
    const streamed = (): AsyncGenerator<ModelEvent> => this.streamed(call, runner, reserved);
    yield* isCacheable(call)
      ? this.cached.stream(call, runner.models, streamed, (attempts) => {
          this.recordUsage(call, attempts);
        })
      : streamed();
  }

  private async *streamed(
    call: ModelCall,
    runner: CallRunner,
    reserved: BudgetLease | undefined,
  ): AsyncGenerator<ModelEvent> {
    const lease = reserved ?? (await this.leaseFor(call, runner));
    try {
      yield* runner.stream();
    } finally {
      lease?.settle(runner.attempts);
      this.recordUsage(call, runner.attempts);
    }
  }

  /**
   * Returns a whole answer.
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
        this.recordUsage(call, attempts);
      },
    );
  }

  private async completed(call: ModelCall, runner: CallRunner, shared?: SharedLease): Promise<ModelAnswer> {
    const lease = await (shared?.join() ?? this.leaseFor(call, runner));
    try {
      return { ...(await runner.complete()), attempts: runner.attempts };
    } finally {
      lease?.settle(runner.attempts);
      this.recordUsage(call, runner.attempts);
    }
  }

  /**
   * Reserves the budget before a call, for callers that must do so before they store anything. The caller then
   * makes the call with `reserved`, and settles the lease whatever its outcome.
   * @throws AppError `rate_limit_exceeded`, `quota_exceeded`, `price_unknown`, `invalid_request` if no model
   * can honor the request, and as `resolve` does
   */
  async reserve(
    call: Pick<ModelCall, 'userId' | 'apiKeyId' | 'model' | 'request'> & {
      /** Tokens of files that the request will contain. */
      readonly fileTokens?: number;
    },
  ): Promise<BudgetLease> {
    const { input, output } = estimateChat(call.request);
    const estimate = { input: input + (call.fileTokens ?? 0), output };
    const chain = compatibleModels(call, await this.directory.resolveChain(call.model));
    return this.reserveBudget(call, chain, estimate, 1);
  }

  /**
   * Returns one lease for several calls of a request to one model: the sum of their tokens, and one concurrency
   * slot. The caller passes it to `complete` with each of the calls, and settles it after the last.
   * @param moreTokens estimated tokens of what is added to the requests later
   */
  shareLease(calls: readonly ModelCall[], moreTokens = 0): SharedLease {
    return new SharedLease(async () => {
      const [first] = calls;
      if (first === undefined) throw new Error('A shared lease needs at least one call.');
      const estimates = calls.map(({ request }) => estimateChat(request));
      const input = estimates.reduce((sum, estimate) => sum + estimate.input, moreTokens);
      const output = estimates.reduce((sum, estimate) => sum + estimate.output, 0);
      const chain = compatibleModels(first, await this.directory.resolveChain(first.model));
      return this.reserveBudget(first, chain, { input, output }, 1);
    });
  }

  private async leaseFor(call: ModelCall, { chain }: CallRunner): Promise<BudgetLease | undefined> {
    return call.hasReservation === true
      ? undefined
      : this.reserveBudget(call, chain, estimateChat(call.request), 1);
  }

  private async reserveBudget(
    { userId, apiKeyId = null }: Pick<ModelCall, 'userId' | 'apiKeyId'>,
    chain: readonly ModelIdentity[],
    { input, output }: TokenEstimate,
    generations: number,
  ): Promise<BudgetLease> {
    return this.budget.reserve({
      userId,
      apiKeyId,
      tokens: input + output,
      cost: () => this.prices.maxCost(chain, input, output),
      concurrencySlots: generations,
      charged: await this.isCharged(userId, chain),
    });
  }

  /**
   * Returns true if the server's keys pay for any model that may be called. A user with own keys for all of
   * them is not charged.
   */
  private async isCharged(userId: string, chain: readonly ModelIdentity[]): Promise<boolean> {
    if (this.credentials === undefined) return true;
    const providers = [...new Set(chain.map(({ provider }) => provider))];
    const own = await Promise.all(providers.map((provider) => this.credentialOf(userId, provider)));
    return own.includes(undefined);
  }

  private recordUsage(
    call: Pick<ModelCall, 'callId' | 'userId' | 'apiKeyId' | 'accounting'>,
    attempts: readonly AttemptRecord[],
  ): void {
    const { accounting } = call;
    if (accounting !== 'caller') (accounting === 'sink' ? this.sink : accounting).record(call, attempts);
  }

  /**
   * Embeds texts. By default the usage goes to the sink.
   * @throws ModelCallError, AppError as `stream` does
   */
  async embed(request: EmbeddingRequest): Promise<Embeddings> {
    const { signal, accounting = 'sink', allowFallback = true } = request;
    const models = await this.directory.resolveChain(request.model);
    const chain = allowFallback ? models : models.slice(0, 1);
    const lease = await this.reserveBudget(request, chain, estimateEmbedding(request.input), 0);
    const sequence = new AttemptSequence(
      { chain, signal, ...this.attemptOptions(request, 'embeddings') },
      ({ resolved: { modelProvider: provider, ...model }, number, apiKey }) =>
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
      const { attempt, answer } = await sequence.answer((attempt) => attempt.run());
      return { model: attempt.model, vectors: answer.vectors, attempts: sequence.attempts };
    } finally {
      lease.settle(sequence.attempts);
      this.recordUsage({ ...request, accounting }, sequence.attempts);
    }
  }

  /**
   * Counts the input tokens of a request for the first model that can honor it. The result is an estimate if
   * its provider does not count, or cannot at the moment.
   * @throws ModelCallError, AppError as `stream` does, if the request itself is wrong
   */
  async countTokens(call: CountingCall): Promise<number> {
    const chain = await this.directory.resolveChain(call.model);
    const [model] = compatibleModels(call, chain);
    if (model === undefined) throw new Error('A chain without models was resolved.');
    const apiKey = await this.credentialOf(call.userId, model.provider);
    return countRequestTokens({ ...call, ...withKey(apiKey) }, model, this.config.deadlines);
  }

  private async runner(call: ModelCall): Promise<CallRunner> {
    const chain = await this.catalog.chainFor(call);
    const deadlinesOf = (provider: string): DeadlineConfig => this.deadlinesOf(provider);
    return new CallRunner({
      call,
      chain,
      deadlinesOf,
      prices: this.prices,
      ...this.attemptOptions(call, 'chat'),
    });
  }

  private attemptOptions(
    { userId, priority }: Pick<ModelCall, 'userId' | 'priority'>,
    operation: ModelOperation,
  ): Omit<AttemptSequenceOptions, 'chain' | 'signal'> {
    return {
      operation,
      priority,
      metrics: this.metrics,
      maxRetries: this.config.maxRetries,
      clock: this.clock,
      gateOf: (provider) => this.gates.gateFor(provider),
      credentialOf: (provider) => this.credentialOf(userId, provider),
    };
  }

  private credentialOf(userId: string, provider: string): Promise<string | undefined> {
    return this.credentials?.credentialFor(userId, provider) ?? Promise.resolve(undefined);
  }

  /**
   * Returns the deadlines of a provider. A host may need longer to its first token than others: a model that is
   * loaded on demand, a slow machine.
   */
  private deadlinesOf(provider: string): DeadlineConfig {
    const { deadlines, hostFirstTokenMs } = this.config;
    return { ...deadlines, firstTokenMs: hostFirstTokenMs.get(provider) ?? deadlines.firstTokenMs };
  }
}

function withKey(apiKey: string | undefined): { readonly apiKey?: string } {
  return apiKey === undefined ? {} : { apiKey };
}
