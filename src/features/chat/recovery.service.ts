import { Injectable, Logger } from '@nestjs/common';
import { abandonedAttempt, countTokens, PriceTable } from '../../llm/index.js';
import { AnswerLog, LOG_TTL_S, type LoggedText } from './answer-log.js';
import { type Abandoned, type AbandonedAnswer, RecoveryRepository } from './recovery.repository.js';
import { toToolCalls, wordsOf } from './tool-calls.js';
import { RunningAnswers } from './running-answers.js';

/** Answers that are looked at in one go. */
const BATCH = 100;

/** Ends the answers whose process is gone: they become `interrupted`, with the text that was stored. */
@Injectable()
export class RecoveryService {
  private readonly logger = new Logger('Recovery');

  constructor(
    private readonly repository: RecoveryRepository,
    private readonly prices: PriceTable,
    private readonly log: AnswerLog,
    private readonly running: RunningAnswers,
  ) {}

  /** @returns how many answers were ended */
  async recover(which: Abandoned): Promise<number> {
    let ended = 0;
    for (;;) {
      const answers = await this.repository.find(which, this.running.all(), BATCH);
      let progress = 0;
      for (const answer of answers) {
        const { inputTokens } = answer;
        const lastWords = await this.lastWords(answer);
        if (lastWords === undefined) continue;
        const { attempt, text, calls, model = answer.model } = lastWords;
        const words = wordsOf(lastWords);
        const used = abandonedAttempt(
          { name: model ?? '', inputTokens: inputTokens ?? 0, text: words },
          this.prices,
        );
        const last = { attempt, text, calls, tokenCount: countTokens(words) };
        if (await this.repository.interrupt({ ...answer, model }, which, used, last)) progress += 1;
      }
      ended += progress;
      // Without progress the same rows would be found again: they are somebody else's now.
      if (answers.length < BATCH || progress === 0) break;
    }
    if (ended > 0)
      this.logger.warn(`${ended} unfinished answers of a stopped process are marked as interrupted`);
    return ended;
  }

  /**
   * What was stored, and what was logged beyond it. Undefined where the log cannot be read now: what was shown may stand
   * there, so the answer waits for a later sweep, for as long as logs are kept.
   */
  private async lastWords(answer: AbandonedAnswer): Promise<LoggedText | undefined> {
    const stored = { attempt: answer.attempt, text: answer.content, calls: toToolCalls(answer.toolCalls) };
    try {
      return await this.log.extend(answer.id, stored);
    } catch (error) {
      if (answer.expiredForSeconds > LOG_TTL_S) return stored;
      this.logger.warn(
        { err: error, answer: answer.id },
        'the log of an unfinished answer cannot be read; it waits',
      );
      return undefined;
    }
  }
}
