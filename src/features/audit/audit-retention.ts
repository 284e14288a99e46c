import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { PeriodicTask } from '../../common/periodic-task.js';
import { AuditRepository } from './audit.repository.js';

/** Retention of entries, in milliseconds: two years. */
export const KEPT_MS = 730 * 86_400_000;

/** Delay of the first run, so that it does not slow down startup, in milliseconds. */
const FIRST_AFTER_MS = 60_000;

/** Delay between runs, in milliseconds. */
const EVERY_MS = 86_400_000;

/**
 * Deletes old entries of the audit log: failed logins alone would let it grow forever. Concurrent runs are harmless.
 */
@Injectable()
export class AuditRetention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(AuditRetention.name);
  private readonly task: PeriodicTask;

  constructor(
    private readonly entries: AuditRepository,
    private readonly clock: Clock,
  ) {
    this.task = new PeriodicTask({
      firstAfterMs: FIRST_AFTER_MS,
      everyMs: EVERY_MS,
      run: (signal) => this.deleteOld(signal),
      onError: (error) => {
        this.logger.warn({ err: error }, 'could not delete old audit log entries; will retry tomorrow');
      },
    });
  }

  onApplicationBootstrap(): void {
    this.task.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.task.stop();
  }

  /**
   * Deletes old entries.
   * @returns the number of deleted entries
   */
  async deleteOld(signal?: AbortSignal): Promise<number> {
    const deleted = await this.entries.deleteBefore(this.clock.now() - KEPT_MS, signal);
    if (deleted > 0) this.logger.log(`deleted ${deleted} old audit log entries`);
    return deleted;
  }
}
