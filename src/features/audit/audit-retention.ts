import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AuditRepository } from './audit.repository.js';

/** How long an entry is kept, in milliseconds: two years. */
export const KEPT_MS = 730 * 86_400_000;

/** After a start, so that it is not in the way of it, in milliseconds. */
const FIRST_AFTER_MS = 60_000;

/** How often old entries are looked for, in milliseconds. */
const EVERY_MS = 86_400_000;

/** Deletes old entries of the audit log: refused logins alone would let it grow for ever. Twice at once is no harm. */
@Injectable()
export class AuditRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Audit');
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly entries: AuditRepository,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.lookIn(FIRST_AFTER_MS);
  }

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
  }

  /** @returns how many were deleted */
  async deleteOld(): Promise<number> {
    const deleted = await this.entries.deleteBefore(this.clock.now() - KEPT_MS);
    if (deleted > 0) this.logger.log(`${deleted} old entries of the audit log are deleted`);
    return deleted;
  }

  private lookIn(delayMs: number): void {
    this.timer = setTimeout(() => {
      this.lookIn(EVERY_MS);
      this.deleteOld().catch((error: unknown) => {
        this.logger.warn({ err: error }, 'old entries of the audit log could not be deleted; tomorrow again');
      });
    }, delayMs).unref();
  }
}
