import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { type AttemptRecord, UsageSink } from '../../llm/index.js';
import { UsageRepository, type UsageEntry } from './usage.repository.js';

/** Time to collect records before they are written, in milliseconds; a kill -9 can lose the records of that time. */
const WAIT_MS = 250;

/** Delay before a retry after the database was unavailable, in milliseconds. */
const RETRY_MS = 1000;

/** Maximum number of records per insert. */
const BATCH = 500;

/**
 * Maximum number of records buffered while the database is unavailable; about 20 MB. More are lost, which is logged.
 */
const CAPACITY = 50_000;

/** Writes the usage of stateless calls, many records per statement. */
@Injectable()
export class BufferedUsageSink extends UsageSink implements OnApplicationShutdown {
  private readonly logger = new Logger(BufferedUsageSink.name);
  private entries: UsageEntry[] = [];
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private closing = false;

  constructor(
    private readonly repository: UsageRepository,
    private readonly clock: Clock,
  ) {
    super();
  }

  override record(
    call: { readonly callId: string; readonly userId: string; readonly apiKeyId?: string | null },
    attempts: readonly AttemptRecord[],
  ): void {
    const { callId, userId, apiKeyId = null } = call;
    const owner = { callId, userId, apiKeyId, conversationId: null };
    for (const attempt of attempts) this.entries.push({ owner, attempt });
    if (this.entries.length > CAPACITY) {
      const lost = this.entries.splice(0, this.entries.length - CAPACITY).length;
      this.logger.error(`lost ${lost} usage records because the database was unavailable for too long`);
    }
    this.schedule(WAIT_MS);
  }

  /** Writes the remaining records before the database is closed. */
  async onApplicationShutdown(): Promise<void> {
    this.closing = true;
    clearTimeout(this.timer);
    await this.writing;
    await this.flush();
  }

  private schedule(waitMs: number): void {
    this.timer ??= this.clock.setTimer(() => {
      this.timer = undefined;
      this.writing = this.writing.then(() => this.flush());
    }, waitMs);
  }

  /**
   * Writes the buffered records. Never rejects. Records that could not be written stay buffered for the next time;
   * writing twice bills once.
   */
  private async flush(): Promise<void> {
    let size = BATCH;
    while (this.entries.length > 0) {
      // Removed from the buffer while being written, so that new records cannot push them out.
      const batch = this.entries.splice(0, size);
      try {
        await this.repository.insert(batch);
        size = Math.min(BATCH, size * 2);
      } catch (error) {
        if (error instanceof AppError && error.code === 'service_unavailable') {
          this.logger.warn({ err: error }, 'could not write usage records; will retry');
          this.entries.unshift(...batch);
          if (!this.closing) this.schedule(RETRY_MS);
          return;
        }
        if (batch.length === 1) {
          // The database would reject it again, and all records after it would wait forever.
          this.logger.error({ err: error }, 'the database rejected a usage record, which is lost');
          continue;
        }
        // One record that the database rejects must not block the others.
        this.entries.unshift(...batch);
        size = Math.ceil(batch.length / 2);
      }
    }
  }
}
