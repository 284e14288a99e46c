import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { ManagedQueue } from '../../../infra/queue/index.js';
import { type TaskJob } from './task.jobs.js';
import { TASK_JOB } from './task.jobs.js';
import { TASKS_QUEUE } from './task.jobs.js';
import type { TaskRef } from '../model/conversation-task.js';

/** Notifies workers of due tasks. The sweep finds tasks whose notification was lost. */
@Injectable()
export class TaskQueue {
  private readonly logger = new Logger(TaskQueue.name);

  constructor(@InjectQueue(TASKS_QUEUE) private readonly queue: ManagedQueue<TaskJob>) {}

  /** Returns immediately and never fails. */
  announce(tasks: readonly TaskRef[]): void {
    // The queue would buffer announcements without bound while Redis is unavailable; the rows have the tasks anyway.
    if (tasks.length === 0 || this.queue.connection.isUnavailable) return;
    const jobs = tasks
      .map(({ conversationId, kind }) => ({
        name: TASK_JOB,
        data: { conversation_id: conversationId, kind },
        opts: {
          // At most one job per task waits, so a sweep in the meantime adds none. While a job is active, the queue
          // stores the announcement and adds its job in the same step that ends the active one. This closes the race
          // with a job that has already read the row: an announcement is either stored before that step or added
          // after it.
          deduplication: { id: `${conversationId}-${kind}`, keepLastIfActive: true },
          removeOnComplete: true,
          removeOnFail: true,
        },
      }))
      // In PostgreSQL each id is locked in turn: two batches in different orders would deadlock.
      .sort((one, other) => (one.opts.deduplication.id < other.opts.deduplication.id ? -1 : 1));
    this.queue.addBulk(jobs).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not queue conversation tasks; the sweep will find them');
    });
  }
}
