import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { CHORE_JOB, CHORES_QUEUE, type ChoreJob } from './chat.jobs.js';
import type { ChoreRef } from './chore.js';

/** Tells those who do chores that there is one. What is not heard is found by the sweep. */
@Injectable()
export class ChoreQueue implements OnApplicationBootstrap {
  private readonly logger = new Logger('Chores');

  constructor(@InjectQueue(CHORES_QUEUE) private readonly queue: Queue<ChoreJob>) {}

  onApplicationBootstrap(): void {
    this.queue.on('error', (error) => {
      this.logger.warn({ err: error }, 'the queue of chores met an error and goes on');
    });
  }

  /** Returns at once and never fails. */
  announce(chores: readonly ChoreRef[]): void {
    if (chores.length === 0) return;
    const jobs = chores.map(({ conversationId, kind }) => ({
      name: CHORE_JOB,
      data: { conversation_id: conversationId, kind },
      // One job a chore: a sweep that comes while it waits adds none. It must leave nothing behind, or that name was taken.
      opts: { jobId: `${conversationId}-${kind}`, removeOnComplete: true, removeOnFail: true },
    }));
    this.queue.addBulk(jobs).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'chores could not be announced; the sweep finds them');
    });
  }
}
