import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { Job } from 'bullmq';
import { toChoreRef } from './task.jobs.js';
import { type ChoreJob } from './task.jobs.js';
import { CHORES_QUEUE } from './task.jobs.js';
import { ChoreService } from './task-runner.service.js';
import { runWhenReady } from '../../../infra/queue/run-when-ready.js';

/** Chores that one process does at once. They mostly wait. */
const CONCURRENCY = 4;

/** Runs the jobs of chores. Running one twice, or at once in two processes, changes nothing. */
@Processor(CHORES_QUEUE, { concurrency: CONCURRENCY, autorun: false })
export class ChoreProcessor extends WorkerHost implements OnApplicationBootstrap {
  private readonly logger = new Logger('Chores');

  constructor(private readonly chores: ChoreService) {
    super();
  }

  onApplicationBootstrap(): void {
    // Not awaited: after a kill -9 the database may take seconds to let the new worker in.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error({ err: error }, 'chores are not done in this process until it is started again');
    });
  }

  override async process({ data }: Job<ChoreJob>): Promise<void> {
    const ref = toChoreRef(data);
    if (ref !== undefined) await this.chores.run(ref);
  }

  /** Its row stays as it is, so the sweep brings it back. */
  @OnWorkerEvent('failed')
  onFailed(_job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error }, 'a chore could not be looked at; the sweep brings it back');
  }
}
