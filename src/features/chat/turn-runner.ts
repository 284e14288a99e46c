import { Injectable, Logger } from '@nestjs/common';
import { Activities } from '../../common/activities.js';
import { storable } from '../../common/storable.js';
import { AppError, asAppError } from '../../common/errors.js';
import {
  countTokens,
  LlmService,
  ModelCallError,
  type AttemptRecord,
  type BudgetLease,
} from '../../llm/index.js';
import { TurnInterruptedError } from './chat.errors.js';
import { Checkpoints } from './checkpoints.js';
import { ContextService } from './context.service.js';
import { LiveTurn } from './live-turn.js';
import { type Settlement, totalCost, type Turn, type TurnOutcome } from './turn.js';
import { TurnRepository } from './turn.repository.js';
import { persistently } from './persistently.js';

/** Generates answers, detached from whoever asked. One run a turn; the run owns the answer's row until it ends. */
@Injectable()
export class TurnRunner {
  private readonly logger = new Logger('Turns');
  private readonly running = new Map<
    LiveTurn,
    { readonly abort: AbortController; readonly done: Promise<void> }
  >();

  constructor(
    private readonly llm: LlmService,
    private readonly context: ContextService,
    private readonly turns: TurnRepository,
    private readonly activities: Activities,
  ) {}

  /**
   * Begins to generate the answer and returns at once.
   * @param lease what it may use; settled when it ends, however it ends
   */
  start(turn: Turn, lease: BudgetLease): LiveTurn {
    const live = new LiveTurn(turn);
    const abort = new AbortController();
    // A turn goes on without its client, but not without its account and key.
    const forget = this.activities.begin(turn, () => {
      abort.abort();
    });
    const done = this.run(live, abort, lease).finally(() => {
      forget();
      this.running.delete(live);
    });
    this.running.set(live, { abort, done });
    return live;
  }

  /** Number of answers that are being generated. */
  get count(): number {
    return this.running.size;
  }

  /** Stops the turn that runs in a conversation which is gone. */
  abandon(conversationId: string): void {
    for (const [{ turn }, { abort }] of this.running) {
      if (turn.conversationId === conversationId) abort.abort();
    }
  }

  /** Stops the turns of an account, and resolves when each has ended. */
  async abandonUser(userId: string): Promise<void> {
    const theirs = [...this.running].filter(([{ turn }]) => turn.userId === userId);
    for (const [, { abort }] of theirs) abort.abort();
    await Promise.all(theirs.map(([, { done }]) => done));
  }

  /** Lets running answers finish for that long, then stores the rest as interrupted. Resolves when none runs. */
  async drain(graceMs: number): Promise<void> {
    const stop = setTimeout(() => {
      this.interruptAll();
    }, graceMs);
    while (this.running.size > 0) await Promise.all(Array.from(this.running.values(), ({ done }) => done));
    clearTimeout(stop);
  }

  /** Stores all running answers as interrupted, now. */
  interruptAll(): void {
    for (const { abort } of this.running.values()) abort.abort();
  }

  /** Never rejects: however a run goes, it ends with an outcome that followers are told. */
  private async run(live: LiveTurn, abort: AbortController, lease: BudgetLease): Promise<void> {
    const checkpoints = new Checkpoints(live, this.turns, () => {
      abort.abort();
    });
    let settlement: Settlement;
    try {
      settlement = await this.generate(live, abort.signal, checkpoints);
    } catch (error) {
      settlement = failed(live, asAppError(error), abort.signal);
    } finally {
      await checkpoints.stop();
    }
    lease.settle(settlement.attempts);
    live.end(await this.commit(live.turn, settlement));
  }

  private async generate(live: LiveTurn, signal: AbortSignal, checkpoints: Checkpoints): Promise<Settlement> {
    const { turn } = live;
    const context = await persistently(() => this.context.build(turn));
    checkpoints.inputTokens = context.tokens;
    const { temperature, maxTokens, cache } = turn;
    const events = this.llm.stream({
      callId: turn.answerId,
      userId: turn.userId,
      apiKeyId: turn.apiKeyId,
      model: turn.model,
      request: {
        messages: context.messages,
        ...(temperature !== undefined && { temperature }),
        ...(maxTokens !== undefined && { max_completion_tokens: maxTokens }),
      },
      signal,
      accounting: 'caller',
      reserved: true,
      restart: 'once',
      cache,
    });
    for await (const event of events) {
      if (event.type === 'chunk') {
        const delta = event.chunk.choices.find(({ index }) => index === 0)?.delta.content;
        if (delta) live.append(storable(delta));
      } else if (event.type === 'started') {
        live.begin(event.model.name);
      } else if (event.type === 'restarted') {
        live.restart(event.model.name);
      } else if (event.type === 'finished') {
        const { model, finishReason, usage, attempts, warning, cached = false } = event;
        const costMicroUsd = totalCost(attempts);
        const answer = {
          text: live.text,
          model: model.name,
          finishReason,
          usage,
          costMicroUsd,
          warning,
          cached,
        };
        return settled({ status: 'complete', ...answer, completedAt: new Date() }, attempts);
      }
    }
    throw new Error('A model call ended without saying how.');
  }

  /** The outcome that is true: the settlement's where it was committed, an interruption where the answer was not ours any more. */
  private async commit(turn: Turn, settlement: Settlement): Promise<TurnOutcome> {
    const { outcome } = settlement;
    if (outcome.status === 'failed' && outcome.error.code === 'internal_error') {
      this.logger.error({ err: outcome.error.cause, answer: turn.answerId }, 'a turn failed unexpectedly');
    }
    const interrupted = {
      status: 'interrupted',
      text: outcome.text,
      model: outcome.model,
      error: new TurnInterruptedError(),
    } as const;
    try {
      return (await this.store(turn, settlement)) ? outcome : interrupted;
    } catch (error) {
      this.logger.error(
        { err: error, answer: turn.answerId },
        'a turn could not be stored; the sweep will end it',
      );
      return interrupted;
    }
  }

  /** The text comes first: should the ledger refuse its part, the answer is stored without it. */
  private async store(turn: Turn, settlement: Settlement): Promise<boolean> {
    try {
      return await persistently(() => this.turns.finish(turn, settlement));
    } catch (error) {
      if (error instanceof AppError) throw error;
      this.logger.error({ err: error, answer: turn.answerId }, 'the usage of a turn was refused and is lost');
      return persistently(() => this.turns.finish(turn, { ...settlement, attempts: [] }));
    }
  }
}

function settled(outcome: TurnOutcome, attempts: readonly AttemptRecord[]): Settlement {
  return { outcome, tokenCount: countTokens(outcome.text), attempts };
}

function failed({ text, model }: LiveTurn, error: AppError, signal: AbortSignal): Settlement {
  const attempts = error instanceof ModelCallError ? error.attempts : [];
  if (signal.aborted)
    return settled({ status: 'interrupted', text, model, error: new TurnInterruptedError() }, attempts);
  return settled({ status: 'failed', text, model, error }, attempts);
}
