import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  type BeforeApplicationShutdown,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DelayedError, type Job } from 'bullmq';
import { PeriodicTask } from '../../../common/periodic-task.js';
import { runWhenReady } from '../../../infra/queue/index.js';
import { IngestionRunnerService } from './ingestion-runner.service.js';
import { type IngestionJob, INGESTIONS_QUEUE, toIngestionRef } from './ingestion.jobs.js';
import { RetrievalSweep } from './retrieval-sweep.js';

/** Number of ingestions that a process works on at once: a slow document or model delays only its own place. */
const CONCURRENCY = 4;

/** Times of the sweeps of this process, in milliseconds. What a killed process has not deleted, the next sweep does. */
export const RETRIEVAL_SWEEP_MS = { firstAfterMs: 1_000, everyMs: 5_000 } as const;

/** Times of the lock of a job, in milliseconds, as for texts. A job that is run twice by mistake is harmless. */
const JOB_LOCK = { lockDuration: 5_000, stalledInterval: 5_000 } as const;

/** Delay after which another process gets the job of a process that stops, in milliseconds. */
const HANDOVER_MS = 200;

/** Runs the jobs of ingestions. Running one twice, or concurrently in two processes, has no further effect. */
@Processor(INGESTIONS_QUEUE, { autorun: false, concurrency: CONCURRENCY, ...JOB_LOCK })
export class IngestionProcessor
  extends WorkerHost
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown
{
  private readonly logger = new Logger(IngestionProcessor.name);
  private readonly announcing = new PeriodicTask({
    ...RETRIEVAL_SWEEP_MS,
    run: () => this.runner.announceDueIngestions(),
    onError: (error) => {
      this.logger.warn({ err: error }, 'could not look for documents to ingest; the next sweep will retry');
    },
  });
  private readonly deleting = new PeriodicTask({
    ...RETRIEVAL_SWEEP_MS,
    run: (signal) => this.sweep.run(signal),
    onError: (error) => {
      this.logger.warn({ err: error }, 'could not delete the rows of collections; the next sweep will retry');
    },
  });

  constructor(
    private readonly runner: IngestionRunnerService,
    private readonly sweep: RetrievalSweep,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    // In each process, so that they also run while the queue has lost its data.
    this.announcing.start();
    this.deleting.start();
    // Not awaited: after a kill -9 the database may take seconds to accept the new worker.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error({ err: error }, 'documents are not ingested in this process until it is restarted');
    });
  }

  /** Releases the claims of this process, in the first phase of the shutdown, as for texts. */
  async onModuleDestroy(): Promise<void> {
    await this.runner.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.announcing.stop(), this.deleting.stop()]);
  }

  override async process(job: Job<IngestionJob>, token?: string): Promise<void> {
    const ref = toIngestionRef(job.data);
    if (ref === undefined) return;
    await this.runner.runIngestion(ref);
    if (!this.runner.isStopping) return;
    // The ingestion may not be finished, so another process takes the job.
    await job.moveToDelayed(Date.now() + HANDOVER_MS, token);
    throw new DelayedError();
  }

  /** Handles a failed job. Its row is unchanged, so the sweep announces it again. */
  @OnWorkerEvent('failed')
  onFailed(_job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error }, 'could not process an ingestion; the sweep will queue it again');
  }
}
