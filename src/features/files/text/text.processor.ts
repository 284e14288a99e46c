import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  type BeforeApplicationShutdown,
  Inject,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { DelayedError, type Job } from 'bullmq';
import { PeriodicTask } from '../../../common/periodic-task.js';
import { extractionConfig } from '../../../config/index.js';
import { runWhenReady } from '../../../infra/queue/index.js';
import { TextRunnerService } from './text-runner.service.js';
import { type TextJob, TEXTS_QUEUE, toTextRef } from './text.jobs.js';

/** Times of the sweep of this process, in milliseconds. */
const SWEEP_MS = { firstAfterMs: 3_000, everyMs: 10_000 } as const;

/**
 * Times of the lock of a job, in milliseconds. The job of a process that died blocks later ones of its text until the
 * queue notices, so this should be sooner than the claim expires. (In PostgreSQL the first lock of a job lasts 30
 * seconds, whatever is set here; as long as the claim.) A job that is run twice by mistake is harmless.
 */
const JOB_LOCK = { lockDuration: 5_000, stalledInterval: 5_000 } as const;

/** Delay after which another process gets the job of a process that stops, in milliseconds. */
const HANDOVER_MS = 200;

/** Runs the jobs of texts. Running one twice, or concurrently in two processes, has no further effect. */
@Processor(TEXTS_QUEUE, { autorun: false, ...JOB_LOCK })
export class TextProcessor
  extends WorkerHost
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown
{
  private readonly logger = new Logger(TextProcessor.name);
  private readonly sweep = new PeriodicTask({
    ...SWEEP_MS,
    run: () => this.runner.announceDueTexts(),
    onError: (error) => {
      this.logger.warn({ err: error }, 'could not look for texts to extract; the next sweep will retry');
    },
  });

  constructor(
    private readonly runner: TextRunnerService,
    @Inject(extractionConfig.KEY) private readonly config: ConfigType<typeof extractionConfig>,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    this.worker.concurrency = this.config.processes;
    // In each process, so that it also runs while the queue has lost its data.
    this.sweep.start();
    // Not awaited: after a kill -9 the database may take seconds to accept the new worker.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error({ err: error }, 'texts are not extracted in this process until it is restarted');
    });
  }

  /**
   * Releases the claims of this process. In the first phase of the shutdown, before the extractor ends its processes,
   * and not left to the queue, which waits for jobs only while its own connection is up.
   */
  async onModuleDestroy(): Promise<void> {
    await this.runner.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.sweep.stop();
  }

  override async process(job: Job<TextJob>, token?: string): Promise<void> {
    const ref = toTextRef(job.data);
    if (ref === undefined) return;
    await this.runner.runText(ref);
    if (!this.runner.isStopping) return;
    // The text may not be finished, so another process takes the job.
    await job.moveToDelayed(Date.now() + HANDOVER_MS, token);
    throw new DelayedError();
  }

  /** Handles a failed job. Its row is unchanged, so the sweep announces it again. */
  @OnWorkerEvent('failed')
  onFailed(_job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error }, 'could not process a text; the sweep will queue it again');
  }
}
