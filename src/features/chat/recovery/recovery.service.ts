import { Injectable, Logger } from '@nestjs/common';
import { estimateAbandonedAttempt, countTokens, PriceTable } from '../../../llm/index.js';
import type { AnswerSnapshot } from '../streams/answer-entries.js';
import { AnswerLog, LOG_TTL_S } from '../streams/answer-log.js';
import { type AbandonedSelection, type AbandonedAnswer, RecoveryRepository } from './recovery.repository.js';
import { isUnavailable } from '../../../common/retry-while-unavailable.js';
import { toToolCalls, generatedText } from '../model/tool-calls.js';
import { ActiveGenerations } from './active-generations.js';

/** Number of answers to read at once. */
const BATCH = 100;

/**
 * Ends the answers of processes that are gone: they become `interrupted`, with the text that was stored or logged.
 */
@Injectable()
export class RecoveryService {
  private readonly logger = new Logger(RecoveryService.name);
  private readonly passes = new Map<AbandonedSelection, Promise<number>>();

  constructor(
    private readonly repository: RecoveryRepository,
    private readonly prices: PriceTable,
    private readonly log: AnswerLog,
    private readonly active: ActiveGenerations,
  ) {}

  /**
   * Ends all abandoned answers. Concurrent calls in one process share one pass, so that passes never overlap.
   * @returns the number of answers that were ended
   */
  recoverAnswers(which: AbandonedSelection): Promise<number> {
    const running = this.passes.get(which);
    if (running !== undefined) return running;
    const pass = this.recoverAll(which).finally(() => this.passes.delete(which));
    this.passes.set(which, pass);
    return pass;
  }

  /**
   * Visits each answer once, page by page, so that answers that cannot be ended now do not block those after them.
   */
  private async recoverAll(which: AbandonedSelection): Promise<number> {
    let ended = 0;
    let after: string | undefined;
    do {
      const answers = await this.repository.listAbandonedAnswers(which, {
        except: this.active.ids(),
        after,
        limit: BATCH,
      });
      for (const answer of answers) if (await this.end(answer, which)) ended += 1;
      after = answers.length < BATCH ? undefined : answers.at(-1)?.id;
    } while (after !== undefined);
    if (ended > 0) this.logger.warn(`marked ${ended} unfinished answers of a stopped process as interrupted`);
    return ended;
  }

  /**
   * Ends one answer.
   * @returns whether the answer was ended; false if its log cannot be read now, or if another process has ended it
   * @throws AppError `service_unavailable`: the next answer would fail in the same way
   */
  private async end(answer: AbandonedAnswer, which: AbandonedSelection): Promise<boolean> {
    const finalContent = await this.readFinalContent(answer);
    if (finalContent === undefined) return false;
    const { attempt, text, calls, model = answer.model } = finalContent;
    const words = generatedText(finalContent);
    const used = estimateAbandonedAttempt(
      { name: model ?? '', inputTokens: answer.inputTokens ?? 0, text: words },
      this.prices,
    );
    const last = { attempt, text, calls, tokenCount: countTokens(words) };
    try {
      return await this.repository.interruptAnswer({ ...answer, model }, which, used, last);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      this.logger.error({ err: error, answer: answer.id }, 'could not end an unfinished answer; will retry');
      return false;
    }
  }

  /**
   * Returns the stored content together with what was logged beyond it. Undefined if the log cannot be read now:
   * text that was shown may be only there, so the answer waits for a later sweep, for as long as logs are retained.
   */
  private async readFinalContent(answer: AbandonedAnswer): Promise<AnswerSnapshot | undefined> {
    const stored = { attempt: answer.attempt, text: answer.content, calls: toToolCalls(answer.toolCalls) };
    try {
      return await this.log.extendSnapshot(answer.id, stored);
    } catch (error) {
      if (answer.expiredForSeconds > LOG_TTL_S) return stored;
      this.logger.warn(
        { err: error, answer: answer.id },
        'could not read the log of an unfinished answer; will retry',
      );
      return undefined;
    }
  }
}
