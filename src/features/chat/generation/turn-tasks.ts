import { Inject, Injectable } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { tasksConfig } from '../../../config/index.js';
import { TaskQueue } from '../tasks/task.queue.js';
import type { TaskKind, DueTask } from '../model/conversation-task.js';
import type { Turn, TurnOutcome } from '../model/turn.js';

/** Determines and announces the background tasks of turns. */
@Injectable()
export class TurnTasks {
  constructor(
    private readonly queue: TaskQueue,
    @Inject(tasksConfig.KEY) private readonly config: ConfigType<typeof tasksConfig>,
  ) {}

  /**
   * Returns the tasks that the end of a turn makes due.
   * @param summarizeUpTo the last message that a summary should cover, if one is needed
   */
  dueAfter(turn: Turn, { status }: TurnOutcome, summarizeUpTo: string | undefined): DueTask[] {
    const titled = this.config.titleModel !== undefined && status === 'complete';
    return [
      ...(titled ? [{ kind: 'title', messageId: turn.answerId } as const] : []),
      ...(summarizeUpTo === undefined ? [] : [{ kind: 'summary', messageId: summarizeUpTo } as const]),
    ];
  }

  /** Announces tasks to the workers once they are committed. */
  announce({ conversationId }: Turn, kinds: readonly TaskKind[]): void {
    this.queue.announce(kinds.map((kind) => ({ conversationId, kind })));
  }
}
