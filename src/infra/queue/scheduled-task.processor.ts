import { InjectQueue, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { type BeforeApplicationShutdown, Inject, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DelayedError, type Job } from 'bullmq';
import { ManagedQueue } from './managed-queue.js';
import { runWhenReady } from './run-when-ready.js';
import { SCHEDULED_TASKS, SCHEDULED_TASKS_QUEUE, type ScheduledTask } from './scheduled-task.js';

/** Schedules the tasks and runs those that are due, one after the other. */
@Processor(SCHEDULED_TASKS_QUEUE, { concurrency: 1, autorun: false })
export class ScheduledTaskProcessor
  extends WorkerHost
  implements OnApplicationBootstrap, BeforeApplicationShutdown
{
  private readonly logger = new Logger(ScheduledTaskProcessor.name);
  private readonly stopping = new AbortController();
  private scheduling: Promise<void> = Promise.resolve();

  constructor(
    @Inject(SCHEDULED_TASKS) private readonly tasks: readonly ScheduledTask[],
    @InjectQueue(SCHEDULED_TASKS_QUEUE) private readonly queue: ManagedQueue,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    // Repeated on each reconnection: Redis may have lost its data.
    this.queue.backend.on('ready', () => {
      this.schedule();
    });
    this.schedule();
    // Not awaited: after a kill -9 the database may take seconds to accept the new worker.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error({ err: error }, 'scheduled tasks do not run in this process until it is restarted');
    });
  }

  /** Aborts the current run. The worker waits for its end when the queues close. */
  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }

  override async process(job: Job, token?: string): Promise<void> {
    const task = this.tasks.find(({ name }) => name === job.name);
    // The task belongs to another version of Parley.
    if (task === undefined) return;
    await task.run(this.stopping.signal);
    if (!this.stopping.signal.aborted) return;
    // The run may have ended early, so another process or the next start completes it.
    await job.moveToDelayed(Date.now() + task.firstAfterMs, token);
    throw new DelayedError();
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error, task: job?.name }, 'a scheduled task failed; its next run will retry');
  }

  /** Schedules sequentially: on PostgreSQL, two concurrent calls would delay the next run by an interval (BullMQ 6.7.0). */
  private schedule(): void {
    this.scheduling = this.scheduling.then(() => this.scheduleAll());
  }

  /** Schedules all tasks; never rejects. A task already scheduled at this interval keeps the time of its next run. */
  private async scheduleAll(): Promise<void> {
    try {
      await this.queue.waitUntilReady();
      // BullMQ queues the next run when one begins: no other process may start it before that one has ended.
      await this.queue.setGlobalConcurrency(1);
      for (const { name, firstAfterMs, everyMs } of this.tasks) {
        const startDate = Date.now() + firstAfterMs;
        await this.queue.upsertJobScheduler(name, { every: everyMs, startDate }, { name });
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'could not schedule tasks; will retry on the next connection');
    }
  }
}
