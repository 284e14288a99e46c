import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { DAY_MS } from '../../common/durations.js';
import type { ScheduledTask } from '../../infra/queue/index.js';
import { AuditRepository } from './audit.repository.js';

/** Retention of entries, in milliseconds: two years. */
export const AUDIT_RETENTION_MS = 730 * DAY_MS;

/** Deletes old entries of the audit log: failed logins alone would let it grow forever. Concurrent runs are harmless. */
@Injectable()
export class AuditRetention implements ScheduledTask {
  readonly name = 'audit-retention';
  readonly firstAfterMs = 60_000;
  readonly everyMs = 86_400_000;
  private readonly logger = new Logger(AuditRetention.name);

  constructor(
    private readonly entries: AuditRepository,
    private readonly clock: Clock,
  ) {}

  /**
   * Deletes old entries.
   * @returns the number of deleted entries
   */
  async run(signal?: AbortSignal): Promise<number> {
    const deleted = await this.entries.deleteBefore(this.clock.now() - AUDIT_RETENTION_MS, signal);
    if (deleted > 0) this.logger.log(`deleted ${deleted} old audit log entries`);
    return deleted;
  }
}
