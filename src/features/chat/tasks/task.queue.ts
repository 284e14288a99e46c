import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { ManagedQueue } from '../../../infra/queue/index.js';
import { type TaskJob } from './task.jobs.js';
import { TASK_JOB } from './task.jobs.js';
import { TASKS_QUEUE } from './task.jobs.js';
import type { TaskRef } from '../model/conversation-task.js';

/** Tells those who do chores that there is one. What is not heard is found by the sweep. */
@Injectable()
export class TaskQueue {
  private readonly logger = new Logger(TaskQueue.name);

  constructor(@InjectQueue(TASKS_QUEUE) private readonly queue: ManagedQueue<TaskJob>) {}

  /** Returns at once and never fails. */
  announce(chores: readonly TaskRef[]): void {
    // The queue would keep what is announced while Redis is away, without a bound; the rows hold it anyway.
    if (chores.length === 0 || this.queue.connection.isAway) return;
    const jobs = chores
      .map(({ conversationId, kind }) => ({
        name: TASK_JOB,
        data: { conversation_id: conversationId, kind },
        opts: {
          // At most one job of a task waits, so a sweep that comes meanwhile adds none. While one is active the queue
          // keeps the announcement and adds its job in the same step that ends the active one. This closes the race with
          // a job that has already looked at the row: an announcement is either kept before that step or added after it.
          deduplication: { id: `${conversationId}-${kind}`, keepLastIfActive: true },
          removeOnComplete: true,
          removeOnFail: true,
        },
      }))
      // In PostgreSQL each id is locked in turn: two batches in different orders would wait for each other.
      .sort((one, other) => (one.opts.deduplication.id < other.opts.deduplication.id ? -1 : 1));
    this.queue.addBulk(jobs).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not queue conversation tasks; the sweep will find them');
    });
  }
}
