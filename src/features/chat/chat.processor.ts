import { InjectQueue, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { SWEEP_INTERVAL_MS, SWEEP_JOB, TURNS_QUEUE } from './chat.jobs.js';
import { IdempotencyRepository } from './idempotency.repository.js';
import { runWhenReady } from './queue-worker.js';
import { RecoveryService } from './recovery.service.js';
import { ChoreService } from './chore.service.js';

/** Runs the jobs of turns. Running one twice, or at once in two processes, changes nothing. */
@Processor(TURNS_QUEUE, { concurrency: 1, autorun: false })
export class ChatProcessor extends WorkerHost implements OnApplicationBootstrap {
  private readonly logger = new Logger('Turns');

  constructor(
    private readonly recovery: RecoveryService,
    private readonly keys: IdempotencyRepository,
    private readonly chores: ChoreService,
    @InjectQueue(TURNS_QUEUE) private readonly queue: Queue,
  ) {
    super();
  }

  async onApplicationBootstrap(): Promise<void> {
    this.queue.on('error', (error) => {
      this.onError(error);
    });
    await this.queue.upsertJobScheduler(SWEEP_JOB, { every: SWEEP_INTERVAL_MS }, { name: SWEEP_JOB });
    // Not awaited: after a kill -9 the database may take seconds to let the new worker in.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error(
        { err: error },
        'the jobs of turns do not run here; each API process sweeps by itself as well',
      );
    });
  }

  override async process(): Promise<number> {
    // Answers first: nothing that the rest does may keep them waiting.
    const ended = await this.recovery.recover('expired');
    await this.keys.sweep();
    await this.chores.announceDue();
    return ended;
  }

  /** A database that is away for a moment. Without listeners BullMQ writes whole connections to standard error. */
  @OnWorkerEvent('error')
  onError(error: Error): void {
    this.logger.warn({ err: error }, 'the job queue met an error and goes on');
  }
}
