import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  type BeforeApplicationShutdown,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Job } from 'bullmq';
import { PeriodicTask } from '../../../common/periodic-task.js';
import { runWhenReady } from '../../../infra/queue/index.js';
import { BATCHES_QUEUE } from './batch.jobs.js';
import { BatchRunnerService } from './batch-runner.service.js';
import { BatchSweep } from './batch-sweep.js';
import { StageRunnerService } from './stage-runner.service.js';

/** Times of the sweep of this process, in milliseconds. */
const SWEEP_MS = { firstAfterMs: 1_000, everyMs: 5_000 } as const;

/** Wakes this process up when a batch has work. A job has no other effect, so one that is lost or doubled is harmless. */
@Processor(BATCHES_QUEUE, { autorun: false })
export class BatchProcessor
  extends WorkerHost
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown
{
  private readonly logger = new Logger(BatchProcessor.name);
  private readonly sweeping = new PeriodicTask({
    ...SWEEP_MS,
    run: async (signal) => {
      await this.sweep.run(signal);
      this.wakeRunners();
    },
    onError: (error) => {
      this.logger.warn({ err: error }, 'could not look for batches with work; the next sweep will retry');
    },
  });

  constructor(
    private readonly runner: BatchRunnerService,
    private readonly stages: StageRunnerService,
    private readonly sweep: BatchSweep,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    this.runner.start();
    // In each process, so that it also runs while the queue has lost its data.
    this.sweeping.start();
    // Not awaited: after a kill -9 the database may take seconds to accept the new worker.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error({ err: error }, 'the queue does not wake up batches in this process; the sweep does');
    });
  }

  /** Ends running items and stages, in the first phase of the shutdown, while the models can still be called. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.sweeping.stop(), this.runner.stop(), this.stages.stop()]);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.sweeping.stop();
  }

  override process(): Promise<void> {
    this.wakeRunners();
    return Promise.resolve();
  }

  /** Handles a failed job. The rows are unchanged. */
  @OnWorkerEvent('failed')
  onFailed(_job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error }, 'could not process the notification of a batch; the sweep will find it');
  }

  private wakeRunners(): void {
    this.runner.wake();
    this.stages
      .runStages(() => {
        this.runner.wake();
      })
      .catch((error: unknown) => {
        this.logger.warn(
          { err: error },
          'could not look for batches to validate or end; the next sweep will retry',
        );
      });
  }
}
