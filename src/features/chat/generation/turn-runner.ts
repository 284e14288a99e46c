import { Injectable, Logger } from '@nestjs/common';
import { ActiveOperations } from '../../../common/active-operations.js';
import { type ByteLease, ByteLimiter } from '../../../common/byte-limiter.js';
import { Broadcast } from '../../../infra/redis/index.js';
import { AppError, asAppError } from '../../../common/errors.js';
import { LlmService, ReturnedFieldsCollector, type BudgetLease } from '../../../llm/index.js';
import { type PassageBlock, PassageFinder, type StoredSource, toStoredSource } from '../../rag/index.js';
import { toModelRequest } from '../messages/generation-parameters.js';
import { Checkpointer } from './checkpointer.js';
import { ContextService } from '../context/context.service.js';
import type { AnswerSnapshot } from '../streams/answer-entries.js';
import { AnswerLog } from '../streams/answer-log.js';
import { AnswerRepository } from '../messages/answer.repository.js';
import { LiveAnswer } from './live-answer.js';
import { toCachePredicate, type OutputCheck } from './output-check.js';
import { ActiveGenerations } from '../recovery/active-generations.js';
import { type TurnResult, totalCost, type Turn, type TurnOutcome } from '../model/turn.js';
import {
  toAbortedResult,
  toInterruptedOutcome,
  toNothingFoundResult,
  toTurnOutcome,
  toTurnResult,
} from './turn-result.js';
import { toToolCalls } from '../model/tool-calls.js';
import { TurnTasks } from './turn-tasks.js';
import { GenerationRepository } from './generation.repository.js';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';

/** A turn while it runs. */
interface Run {
  readonly live: LiveAnswer;
  readonly abort: AbortController;
  /** Checks the format of the answer; undefined if any text will do. */
  readonly check: OutputCheck | undefined;
  /** True if the user stopped it. */
  stopped: boolean;
  /** Last message that a summary should cover, once one is known to be needed. */
  summarizeUpTo: string | undefined;
}

/** The result of a turn as committed. */
interface CommittedTurn {
  readonly outcome: TurnOutcome;
  /** Contents of the row, if the answer is no longer ours. */
  readonly stored?: AnswerSnapshot | undefined;
}

/** Channels that ask the process running a turn to end it. */
const STOP_CHANNEL = 'turns:stop';
const GONE_CHANNEL = 'turns:gone';

/** Generates answers, independently of the client that asked. A run owns the row of its answer until it ends. */
@Injectable()
export class TurnRunner {
  private readonly logger = new Logger(TurnRunner.name);

  constructor(
    private readonly llm: LlmService,
    private readonly context: ContextService,
    private readonly generations: GenerationRepository,
    private readonly operations: ActiveOperations,
    private readonly log: AnswerLog,
    private readonly active: ActiveGenerations,
    private readonly answers: AnswerRepository,
    private readonly broadcast: Broadcast,
    private readonly tasks: TurnTasks,
    private readonly fileMemory: ByteLimiter,
    private readonly passages: PassageFinder,
  ) {
    broadcast.subscribe(STOP_CHANNEL, (answerId) => void active.stopAnswer(answerId));
    broadcast.subscribe(GONE_CHANNEL, (conversationId) => {
      void active.interrupt((turn) => turn.conversationId === conversationId);
    });
  }

  /**
   * Starts to generate the answer and returns immediately.
   * @param lease budget reservation of the answer; settled when the answer ends, for whatever reason
   * @param check checks the format of the answer
   */
  startGeneration(turn: Turn, lease: BudgetLease, check?: OutputCheck): LiveAnswer {
    const live = new LiveAnswer(turn, this.log);
    const abort = new AbortController();
    const run: Run = { live, abort, check, stopped: false, summarizeUpTo: undefined };
    // A turn continues without its client, but not without its account and key.
    const unregister = this.operations.register(turn.spec, () => {
      abort.abort();
    });
    this.active.add({
      turn,
      answer: live,
      abort: ({ stopped } = { stopped: false }) => {
        run.stopped ||= stopped;
        abort.abort();
      },
      done: this.run(run, lease).finally(unregister),
    });
    return live;
  }

  /** Stops an answer that another process generates. */
  publishStop(answerId: string): Promise<void> {
    return this.broadcast.publish(STOP_CHANNEL, answerId);
  }

  /** Ends the turn of a deleted conversation, in whichever process runs it. */
  interruptConversation(conversationId: string): Promise<void> {
    return this.broadcast.publish(GONE_CHANNEL, conversationId);
  }

  /** Never rejects: every run ends with an outcome that followers receive. */
  private async run(run: Run, lease: BudgetLease): Promise<void> {
    const { live, abort } = run;
    const checkpoints = new Checkpointer(live, this.generations, (why) => {
      run.stopped ||= why === 'stop';
      abort.abort();
    });
    const memory = this.fileMemory.lease();
    let result: TurnResult;
    try {
      result = await this.generate(run, checkpoints, memory);
    } catch (error) {
      result = toAbortedResult(run, asAppError(error));
    } finally {
      // A retry or another model sends the files again, so they stay in memory until the call is over.
      memory.release();
    }
    lease.settle(result.attempts);
    const tasks = this.tasks.dueAfter(live.turn, result.outcome, run.summarizeUpTo);
    // The lease is renewed until the answer is stored, however long the database is unavailable.
    const { outcome, stored } = await this.commit(live.turn, { ...result, dueTasks: tasks }).finally(() =>
      checkpoints.stop(),
    );
    live.publishOutcome(outcome, stored);
  }

  private async generate(run: Run, checkpoints: Checkpointer, memory: ByteLease): Promise<TurnResult> {
    const { live } = run;
    const { turn } = live;
    const { spec } = turn;
    const { signal } = run.abort;
    const passages = await this.findPassages(run);
    if (spec.retrieval !== undefined && passages === undefined) return toNothingFoundResult(run);
    const context = await retryWhileUnavailable(() =>
      this.context.buildContext(turn, { memory, signal, passages }),
    );
    checkpoints.inputTokens = context.tokens;
    run.summarizeUpTo = context.summarizeUpTo;
    if (turn.hasFiles || context.omittedPages.length > 0) {
      // Stored before followers learn of it, so that those who come later see the same.
      await retryWhileUnavailable(() => this.generations.storeOmittedPages(turn, context.omittedPages));
      live.setOmittedPages(context.omittedPages);
    }
    const events = this.llm.stream({
      callId: turn.answerId,
      userId: spec.userId,
      apiKeyId: spec.apiKeyId,
      model: spec.model,
      ...toModelRequest(spec, context.messages),
      signal,
      accounting: 'caller',
      hasReservation: true,
      restart: spec.restart,
      // The marker around passages differs in each request, so an equal one never comes.
      cache: passages === undefined ? spec.cache : undefined,
      mayCache: run.check && toCachePredicate(run.check),
    });
    let returned = new ReturnedFieldsCollector();
    for await (const event of events) {
      if (event.type === 'chunk') {
        const choice = event.chunk.choices.find(({ index }) => index === 0);
        if (choice === undefined) continue;
        live.add(choice.delta);
        returned.add(choice.delta);
      } else if (event.type === 'started') {
        live.setModel(event.model.name);
        live.ignored = event.ignored;
      } else if (event.type === 'restarted') {
        live.restart(event.model.name);
        live.ignored = event.ignored;
        returned = new ReturnedFieldsCollector();
      } else if (event.type === 'finished') {
        live.endText();
        const { model, finishReason, usage, attempts, warning, cached = false } = event;
        const costMicroUsd = totalCost(attempts);
        // Only an answer that may be part of a tool exchange is ever sent back with these fields.
        if ((spec.parameters.tools ?? []).length > 0) live.providerData ??= returned.providerData(model);
        const answer = {
          text: live.text,
          calls: live.calls,
          model: model.name,
          finishReason,
          usage,
          costMicroUsd,
          warning,
          cached,
        };
        return toTurnResult(toTurnOutcome(run, answer), live, attempts);
      }
    }
    throw new Error('A model call ended without an outcome.');
  }

  /** Finds the passages for a turn and stores its sources, before followers learn of them. */
  private async findPassages({ live, abort: { signal } }: Run): Promise<PassageBlock | undefined> {
    const { turn } = live;
    const { retrieval, model } = turn.spec;
    if (retrieval === undefined) return undefined;
    const { collectionIds, question } = retrieval;
    const storeSources = (sources: readonly StoredSource[]) =>
      retryWhileUnavailable(() => this.generations.storeSources(turn, { collectionIds, sources }));
    try {
      const maxTokens = await retryWhileUnavailable(() => this.context.readPassageRoom(turn));
      const asked = { access: turn.spec, question, collectionIds, model, maxTokens };
      const block = await retryWhileUnavailable(() => this.passages.findPassages(asked, signal));
      const sources = (block?.sources ?? []).map(toStoredSource);
      await storeSources(sources);
      live.setSources(sources.length, () => this.passages.readSources(turn.spec.userId, sources));
      return block;
    } catch (error) {
      // An answer that is generated again asks the same collections.
      await storeSources([]);
      throw error;
    }
  }

  /**
   * Returns the outcome that counts: that of the result if it was committed, an interruption if the answer was no
   * longer ours.
   */
  private async commit(turn: Turn, result: TurnResult): Promise<CommittedTurn> {
    const { outcome } = result;
    if (outcome.status === 'failed' && outcome.error.code === 'internal_error') {
      this.logger.error(
        { err: outcome.error.cause, answer: turn.answerId },
        'a turn failed unexpectedly; its answer is marked failed',
      );
    }
    try {
      if (await this.store(turn, result)) return { outcome };
      return { outcome: toInterruptedOutcome(outcome), stored: await this.storedText(turn) };
    } catch (error) {
      this.logger.error(
        { err: error, answer: turn.answerId },
        'could not store a turn; the recovery sweep will end it',
      );
      return { outcome: toInterruptedOutcome(outcome) };
    }
  }

  /** Reads what another process has stored instead; undefined if the row is missing or cannot be read. */
  private async storedText({ spec: { userId }, answerId }: Turn): Promise<AnswerSnapshot | undefined> {
    const row = await this.answers.findAnswer(userId, answerId).catch(() => null);
    return row === null
      ? undefined
      : { attempt: row.attempt, text: row.content, calls: toToolCalls(row.toolCalls) };
  }

  /**
   * Stores the result, the text above all: if the database rejects data that accompanies it, stores the answer
   * without that data.
   */
  private async store(turn: Turn, result: TurnResult): Promise<boolean> {
    try {
      return await this.finish(turn, result);
    } catch (error) {
      this.logRefusal(turn, error, "a provider's data");
    }
    const withoutData = { ...result, providerData: undefined };
    try {
      return await this.finish(turn, withoutData);
    } catch (error) {
      this.logRefusal(turn, error, 'the usage of a turn');
    }
    return this.finish(turn, { ...withoutData, attempts: [] });
  }

  /** @throws AppError unchanged: in that case nothing was rejected */
  private logRefusal({ answerId }: Turn, error: unknown, what: string): void {
    if (error instanceof AppError) throw error;
    this.logger.error({ err: error, answer: answerId }, `the database rejected ${what}, which may be lost`);
  }

  private async finish(turn: Turn, result: TurnResult): Promise<boolean> {
    const { leaseHeld: ours, dueTasks: due } = await retryWhileUnavailable(() =>
      this.generations.finishTurn(turn, result),
    );
    this.tasks.announce(turn, due);
    return ours;
  }
}
