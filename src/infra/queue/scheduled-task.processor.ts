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
    // Again with each connection: a Redis that was away may come back empty.
    this.queue.backend.on('ready', () => {
      this.schedule();
    });
    this.schedule();
    // Not awaited: after a kill -9 the database may take seconds to let the new worker in.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error(
        { err: error },
        'scheduled tasks do not run in this process until it is started again',
      );
    });
  }

  /** Tells the current run to end. The worker waits for it when the queues close. */
  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }

  override async process(job: Job, token?: string): Promise<void> {
    const task = this.tasks.find(({ name }) => name === job.name);
    // A task of another version of Parley.
    if (task === undefined) return;
    await task.run(this.stopping.signal);
    if (!this.stopping.signal.aborted) return;
    // It may have ended early, so another process or the next start does the rest.
    await job.moveToDelayed(Date.now() + task.firstAfterMs, token);
    throw new DelayedError();
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error, task: job?.name }, 'a scheduled task failed; its next run will retry');
  }

  /** One after the other: on PostgreSQL, two at once would move the next run by an interval (BullMQ 6.7.0). */
  private schedule(): void {
    this.scheduling = this.scheduling.then(() => this.scheduleAll());
  }

  /** Never rejects. A task that is already scheduled at this interval keeps the time of its next run. */
  private async scheduleAll(): Promise<void> {
    try {
      await this.queue.waitUntilReady();
      // The next run is queued when one begins: another process must not start it before that one has ended.
      await this.queue.setGlobalConcurrency(1);
      for (const { name, firstAfterMs, everyMs } of this.tasks) {
        const startDate = Date.now() + firstAfterMs;
        await this.queue.upsertJobScheduler(name, { every: everyMs, startDate }, { name });
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'tasks could not be scheduled; the next connection does it');
    }
  }
}
