import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PeriodicTask } from '../../../common/periodic-task.js';
import { SWEEP_INTERVAL_MS } from './recovery.queue.js';
import { RecoveryService } from './recovery.service.js';

/**
 * Runs the recovery sweep in every API process, in addition to the job, which runs in only one: that process may be
 * the one that has lost the database. A sweep may run anywhere and any number of times.
 */
@Injectable()
export class RecoveryScheduler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(RecoveryScheduler.name);
  private readonly task: PeriodicTask;

  constructor(recovery: RecoveryService) {
    this.task = new PeriodicTask({
      firstAfterMs: SWEEP_INTERVAL_MS,
      everyMs: SWEEP_INTERVAL_MS,
      run: () => recovery.recoverAnswers('expired'),
      onError: (error) => {
        this.logger.warn({ err: error }, 'a recovery sweep failed; the next one will retry');
      },
    });
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }
}
