import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { ActiveOperations } from '../../../common/active-operations.js';
import { AppError, type ErrorCode } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { type AttemptRecord, LlmService, ModelCallError } from '../../../llm/index.js';
import type {
  ConversationTask,
  TaskEnd,
  TaskKind,
  TaskRef,
  TaskHandler,
} from '../model/conversation-task.js';
import { TaskQueue } from './task.queue.js';
import { TaskRepository, type TaskAttempt } from './task.repository.js';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import { SummaryTask } from './summary.task.js';
import { TitleTask } from './title.task.js';

/** Timeout of a model call, in milliseconds: it ends while the claim on the task is still valid. */
const CALL_MS = 100_000;

/** Maximum number of attempts of a task. */
const MAX_ATTEMPTS = 5;

/** Delay after the first failure, in seconds; each further delay is four times as long. */
const FIRST_WAIT_SECONDS = 20;

/** Bounds of the delay if the budget is exhausted, in seconds. */
const BUDGET_WAIT_SECONDS = { min: 15, max: 3_600 };

/** Errors of an exhausted budget: they pass with time and are not the task's fault. */
const BUDGET_REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['rate_limit_exceeded', 'quota_exceeded']);

/** Maximum number of tasks that one sweep announces. */
const BATCH = 100;

/** Runs tasks. The result does not depend on which process runs one, or on how often it is notified. */
@Injectable()
export class TaskRunnerService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(TaskRunnerService.name);
  private readonly handlers: Readonly<Record<TaskKind, TaskHandler>>;
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly repository: TaskRepository,
    private readonly queue: TaskQueue,
    private readonly llm: LlmService,
    private readonly operations: ActiveOperations,
    title: TitleTask,
    summary: SummaryTask,
  ) {
    this.handlers = { title, summary };
  }

  /**
   * Aborts the running tasks and waits until each has stored its end: other processes run them again. Not left to
   * the queue, which waits for them only while its own connection is up.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
  }

  /** Runs a task step by step, if it is due and no other process is running it. */
  async runTask(ref: TaskRef): Promise<void> {
    const running = this.runSteps(ref);
    this.running.add(running);
    try {
      await running;
    } finally {
      this.running.delete(running);
    }
  }

  private async runSteps(ref: TaskRef): Promise<void> {
    while (!this.closing.signal.aborted) {
      const claimedTask = await this.repository.claimTask(ref);
      if (claimedTask === undefined) return;
      const ended = await this.attemptTask(claimedTask);
      const ours = await retryWhileUnavailable(() => this.repository.endAttempt(claimedTask, ended));
      // Without a result the next attempt is delayed.
      if (!ours || ended.result === undefined || ended.end === 'done') return;
    }
  }

  /** Announces due tasks again, in case a notification was lost. */
  async announceDueTasks(): Promise<void> {
    this.queue.announce(await this.repository.listDueTasks(BATCH));
  }

  /** Never rejects: every attempt has an end. */
  private async attemptTask(claimedTask: ConversationTask): Promise<TaskAttempt> {
    const callId = newId();
    const nothing = { callId, attempts: [], result: undefined };
    // Each process that attempted it died: that counts as a failure too.
    if (claimedTask.attempts > MAX_ATTEMPTS)
      return { ...nothing, end: this.endAfter(claimedTask, new Error('The task was never finished.')) };
    const shut = new AbortController();
    const forget = this.operations.register({ userId: claimedTask.userId, apiKeyId: null }, () => {
      shut.abort();
    });
    const ended = AbortSignal.any([shut.signal, this.closing.signal]);
    let attempts: readonly AttemptRecord[] = [];
    try {
      const task = await this.handlers[claimedTask.kind].buildRequest(claimedTask);
      if (task === undefined) return { ...nothing, end: 'done' };
      const answer = await this.llm.complete({
        callId,
        userId: claimedTask.userId,
        apiKeyId: null,
        model: task.model,
        request: task.request,
        serverDefaults: ['limit_name', 'history'],
        signal: AbortSignal.any([ended, AbortSignal.timeout(CALL_MS)]),
        accounting: 'caller',
      });
      ({ attempts } = answer);
      const result = task.parseResult(answer.completion.choices[0]?.message.content ?? '');
      if (result === undefined) throw new Error(`The answer of '${answer.model.name}' is not usable.`);
      const end = task.isLastStep ? 'done' : { waitSeconds: 0, counted: false };
      return { callId, attempts, result: { ...result, model: answer.model.name }, end };
    } catch (error) {
      if (error instanceof ModelCallError) ({ attempts } = error);
      const end = ended.aborted ? { waitSeconds: 0, counted: false } : this.endAfter(claimedTask, error);
      return { callId, attempts, result: undefined, end };
    } finally {
      forget();
    }
  }

  private endAfter({ conversationId, kind, attempts }: ConversationTask, error: unknown): TaskEnd {
    if (error instanceof AppError && BUDGET_REFUSALS.has(error.code)) {
      const { min, max } = BUDGET_WAIT_SECONDS;
      const waitSeconds = Math.min(max, Math.max(min, Math.ceil((error.retryAfterMs ?? 0) / 1_000)));
      return { waitSeconds, counted: false };
    }
    if (attempts >= MAX_ATTEMPTS) {
      this.logger.error(
        { err: error, conversation: conversationId },
        `a ${kind} task failed too often; giving up`,
      );
      return 'done';
    }
    this.logger.warn({ err: error, conversation: conversationId }, `a ${kind} task failed; will retry`);
    return { waitSeconds: FIRST_WAIT_SECONDS * 4 ** (attempts - 1), counted: true };
  }
}
