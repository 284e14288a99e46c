import { InjectQueue, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { Job } from 'bullmq';
import { ManagedQueue, runWhenReady } from '../../../infra/queue/index.js';
import { FORMER_TASKS_QUEUE, type TaskJob, TASKS_QUEUE, toTaskRef } from './task.jobs.js';
import { TaskRunnerService } from './task-runner.service.js';

/** Number of tasks that one process runs at once. They mostly wait. */
const CONCURRENCY = 4;

/** Runs the jobs of tasks. Running one twice, or concurrently in two processes, has no further effect. */
@Processor(TASKS_QUEUE, { concurrency: CONCURRENCY, autorun: false })
export class TaskProcessor extends WorkerHost implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(TaskProcessor.name);
  private formerQueue: ManagedQueue | undefined;
  private isStopping = false;

  constructor(
    private readonly taskRunner: TaskRunnerService,
    @InjectQueue(TASKS_QUEUE) private readonly queue: ManagedQueue<TaskJob>,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    // Neither is awaited: after a kill -9 the database may take seconds to accept the new worker.
    this.removeFormerQueue().catch((error: unknown) => {
      this.logger.debug(
        { err: error },
        'could not remove the former queue of conversation tasks; the next start will try again',
      );
    });
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error(
        { err: error },
        'conversation tasks do not run in this process until it is restarted',
      );
    });
  }

  /** Closes the former queue in case the process stops before its jobs are removed. */
  async onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    await this.formerQueue?.close();
  }

  /** Removes the jobs that an earlier version queued under another name. Their rows are still due. */
  private async removeFormerQueue(): Promise<void> {
    await this.worker.waitUntilReady();
    if (this.isStopping) return;
    this.formerQueue = new ManagedQueue(FORMER_TASKS_QUEUE, this.queue.opts);
    try {
      await this.formerQueue.obliterate({ force: true });
    } finally {
      await this.formerQueue.close();
    }
  }

  override async process({ data }: Job<TaskJob>): Promise<void> {
    const ref = toTaskRef(data);
    if (ref !== undefined) await this.taskRunner.runTask(ref);
  }

  /** Handles a failed job. Its row is unchanged, so the sweep announces it again. */
  @OnWorkerEvent('failed')
  onFailed(_job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error }, 'could not process a conversation task; the sweep will queue it again');
  }
}
