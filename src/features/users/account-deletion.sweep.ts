import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { PeriodicTask } from '../../common/periodic-task.js';
import { AccountDeletionService } from './account-deletion.service.js';

/** Times of the sweep of this process, in milliseconds. What a killed process has not deleted, the next sweep does. */
export const ACCOUNT_SWEEP_MS = { firstAfterMs: 3_000, everyMs: 20_000 } as const;

/** Resumes account deletions that were interrupted. Runs in every API process. */
@Injectable()
export class AccountDeletionSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(AccountDeletionSweep.name);
  private readonly task: PeriodicTask;

  constructor(private readonly deletions: AccountDeletionService) {
    this.task = new PeriodicTask({
      ...ACCOUNT_SWEEP_MS,
      run: (signal) => deletions.resume(signal),
      onError: (error) => {
        this.logger.warn({ err: error }, 'could not look for unfinished account deletions; will retry');
      },
    });
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    // Both at once: a sweep ends when the deletion that it runs is stopped.
    await Promise.all([this.deletions.beforeApplicationShutdown(), this.task.stop()]);
  }
}
