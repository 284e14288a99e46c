import { setTimeout as delay } from 'node:timers/promises';
import { InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type ManagedQueue, runWhenReady } from '../../infra/queue/index.js';
import { SWEEP_INTERVAL_MS, SWEEP_JOB, TURNS_QUEUE } from './recovery/recovery.queue.js';
import { IdempotencyRepository } from './turns/idempotency.repository.js';
import { RecoveryService } from './recovery/recovery.service.js';
import { TaskRunnerService } from './tasks/task-runner.service.js';

/** Maximum wait at startup for the sweep to be scheduled, in milliseconds. */
const SCHEDULE_WAIT_MS = 1_000;

/** Runs the jobs of turns. Running one twice, or concurrently in two processes, has no further effect. */
@Processor(TURNS_QUEUE, { concurrency: 1, autorun: false })
export class MaintenanceProcessor extends WorkerHost implements OnApplicationBootstrap {
  private readonly logger = new Logger(MaintenanceProcessor.name);

  constructor(
    private readonly recovery: RecoveryService,
    private readonly keys: IdempotencyRepository,
    private readonly taskRunner: TaskRunnerService,
    @InjectQueue(TURNS_QUEUE) private readonly queue: ManagedQueue,
  ) {
    super();
  }

  async onApplicationBootstrap(): Promise<void> {
    // Schedule again on each connection: Redis may come back empty after an outage.
    this.queue.backend.on('ready', () => void this.schedule());
    // Not awaited: after a kill -9 the database may take seconds to accept the new worker.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error(
        { err: error },
        'maintenance jobs do not run in this process; every API process also runs its own sweeps',
      );
    });
    // Bounded: Redis may be unavailable, and the process must work without it.
    await Promise.race([this.schedule(), delay(SCHEDULE_WAIT_MS, undefined, { ref: false })]);
  }

  /** Never rejects. Idempotent. */
  private async schedule(): Promise<void> {
    try {
      await this.queue.waitUntilReady();
      await this.queue.upsertJobScheduler(SWEEP_JOB, { every: SWEEP_INTERVAL_MS }, { name: SWEEP_JOB });
    } catch (error) {
      this.logger.warn({ err: error }, 'could not schedule the sweep; will retry on the next connection');
    }
  }

  override async process(): Promise<number> {
    // Answers first: nothing else here may delay them.
    const ended = await this.recovery.recoverAnswers('expired');
    await this.keys.deleteExpiredKeys();
    await this.taskRunner.announceDueTasks();
    return ended;
  }
}
