import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../../config/index.js';
import { ChoreQueue } from '../tasks/task.queue.js';
import type { ChoreKind, DueChore } from '../model/conversation-task.js';
import type { Turn, TurnOutcome } from '../model/turn.js';

/** What turns leave to be done in the background. */
@Injectable()
export class TurnChores {
  constructor(
    private readonly queue: ChoreQueue,
    private readonly config: AppConfig,
  ) {}

  /**
   * What a turn makes due with its end.
   * @param summarizeUpTo the last message that a summary shall cover, where one is needed
   */
  dueAfter(turn: Turn, { status }: TurnOutcome, summarizeUpTo: string | undefined): DueChore[] {
    const titled = this.config.chores.titleModel !== undefined && status === 'complete';
    return [
      ...(titled ? [{ kind: 'title', messageId: turn.answerId } as const] : []),
      ...(summarizeUpTo === undefined ? [] : [{ kind: 'summary', messageId: summarizeUpTo } as const]),
    ];
  }

  /** Tells those who do them, once they are committed. */
  announce({ conversationId }: Turn, kinds: readonly ChoreKind[]): void {
    this.queue.announce(kinds.map((kind) => ({ conversationId, kind })));
  }
}
