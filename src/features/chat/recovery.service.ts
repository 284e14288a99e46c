import { Injectable, Logger } from '@nestjs/common';
import { abandonedAttempt, countTokens, PriceTable } from '../../llm/index.js';
import { type Abandoned, RecoveryRepository } from './recovery.repository.js';

/** Answers that are looked at in one go. */
const BATCH = 100;

/** Ends the answers whose process is gone: they become `interrupted`, with the text that was stored. */
@Injectable()
export class RecoveryService {
  private readonly logger = new Logger('Recovery');

  constructor(
    private readonly repository: RecoveryRepository,
    private readonly prices: PriceTable,
  ) {}

  /** @returns how many answers were ended */
  async recover(which: Abandoned): Promise<number> {
    let ended = 0;
    for (;;) {
      const answers = await this.repository.find(which, BATCH);
      let progress = 0;
      for (const answer of answers) {
        const { model, inputTokens, content: text } = answer;
        const attempt = abandonedAttempt(
          { name: model ?? '', inputTokens: inputTokens ?? 0, text },
          this.prices,
        );
        if (await this.repository.interrupt(answer, which, attempt, countTokens(answer.content)))
          progress += 1;
      }
      ended += progress;
      // Without progress the same rows would be found again: they are somebody else's now.
      if (answers.length < BATCH || progress === 0) break;
    }
    if (ended > 0)
      this.logger.warn(`${ended} unfinished answers of a stopped process are marked as interrupted`);
    return ended;
  }
}
