import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { AppError, NotFoundError } from '../../../common/errors.js';
import { AnswerLog } from '../streams/answer-log.js';
import { type AnswerStream, awaitOutcome } from '../streams/answer-stream.js';
import { AnswerRepository, type StoredAnswer } from '../messages/answer.repository.js';
import { ActiveGenerations } from '../recovery/active-generations.js';
import { RecoveryService } from '../recovery/recovery.service.js';
import { StoredAnswerStream } from '../streams/stored-answer-stream.js';
import { TurnRunner } from './turn-runner.js';

/** How long another process may take to stop an answer, in milliseconds: it hears of it at its next checkpoint at the latest. */
const STOP_MS = 20_000;

/** Between two looks at whether the process that is to stop an answer is still there, in milliseconds. */
const LEASE_LOOK_MS = 2_000;

/** Answers for those who come later: to follow them, or to stop them, from whichever process. */
@Injectable()
export class AnswerService {
  private readonly logger = new Logger(AnswerService.name);
  private readonly leaving = new AbortController();

  constructor(
    private readonly answers: AnswerRepository,
    private readonly runner: TurnRunner,
    private readonly active: ActiveGenerations,
    private readonly log: AnswerLog,
    private readonly recovery: RecoveryService,
  ) {}

  /**
   * An answer, wherever it is generated and whether it has ended or not.
   * @throws NotFoundError
   */
  async find(userId: string, id: string): Promise<AnswerStream> {
    const stored = await this.stored(userId, id);
    // Ended ones from the row, so that a turn which is just being forgotten here is not missed.
    const live = stored.status === 'generating' ? this.active.find(id) : undefined;
    const row = {
      state: () => this.answers.state(userId, id),
      read: () => this.answers.find(userId, id),
    };
    return live ?? new StoredAnswerStream(stored, this.log, row, this.leaving.signal);
  }

  /**
   * Ends an answer as its user wants it; what came so far is kept and billed. Resolves when the call upstream is
   * closed. An answer that has ended already stays as it is.
   * @throws NotFoundError, or AppError `service_unavailable` where the process that generates it does not end it in time
   */
  async stop(userId: string, id: string): Promise<StoredAnswer> {
    const stored = await this.stored(userId, id);
    if (stored.status !== 'generating') return stored;
    if (!(await this.active.stop(id))) await this.stopElsewhere(userId, stored);
    return this.stored(userId, id);
  }

  /** Stops the answer when the signal aborts: for clients that want nothing which they do not wait for. */
  stopOn(signal: AbortSignal, userId: string, { answerId }: AnswerStream): void {
    const stop = (): void => {
      this.stop(userId, answerId).catch((error: unknown) => {
        this.logger.warn(
          { err: error, answer: answerId },
          'could not stop an answer after its client disconnected',
        );
      });
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  /** Sends those away who follow answers of other processes: this one stops, and they may read on elsewhere. */
  dismissFollowers(): void {
    this.leaving.abort();
  }

  private async stored(userId: string, id: string): Promise<StoredAnswer> {
    const stored = await this.answers.find(userId, id);
    if (stored === null) throw new NotFoundError('answer', id);
    return stored;
  }

  private async stopElsewhere(userId: string, { id }: StoredAnswer): Promise<void> {
    // The row first: a process that does not hear the word finds it there.
    await this.answers.requestStop(userId, id);
    await this.runner.stopElsewhere(id);
    const ended = new AbortController();
    const late = AbortSignal.any([ended.signal, AbortSignal.timeout(STOP_MS)]);
    const source = await this.find(userId, id);
    const looks = this.endExpired(late);
    try {
      if ((await awaitOutcome(source, late)) !== undefined) return;
    } finally {
      ended.abort();
      await looks;
    }
    throw new AppError(
      'service_unavailable',
      'The process that generates the answer did not stop it in time. It has been told to and will stop as soon as it can; try again.',
      { retryAfterMs: LEASE_LOOK_MS },
    );
  }

  /** Ends answers whose process is gone without waiting for the sweep. */
  private async endExpired(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.recovery.recover('expired').catch((error: unknown) => {
        this.logger.warn({ err: error }, 'could not end expired answers; will retry');
      });
      await delay(LEASE_LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
