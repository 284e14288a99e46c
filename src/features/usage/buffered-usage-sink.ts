import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { AppError } from '../../common/errors.js';
import { type AttemptRecord, UsageSink } from '../../llm/index.js';
import { UsageRepository, type UsageEntry } from './usage.repository.js';

/** How long records wait for company, in milliseconds; what a kill -9 can lose. */
const WAIT_MS = 250;

/** How long it is waited after the database was away, in milliseconds. */
const RETRY_MS = 1000;

/** Records of one insert. */
const BATCH = 500;

/** Records that are kept while the database is away; about 20 MB. What comes beyond is lost, and said so. */
const CAPACITY = 50_000;

/** Writes the usage of stateless calls, many in one statement. */
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

  /** Writes what is left, before the database is closed. */
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

  /** Never rejects. What could not be written is kept for the next time; writing twice bills once. */
  private async flush(): Promise<void> {
    let size = BATCH;
    while (this.entries.length > 0) {
      // Taken out while it is written, so that what comes meanwhile cannot push it aside.
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
          // What the database refuses it will refuse again, and everything behind it would wait for ever.
          this.logger.error({ err: error }, 'the database rejected a usage record, which is lost');
          continue;
        }
        // One record that the database refuses must not take the others with it.
        this.entries.unshift(...batch);
        size = Math.ceil(batch.length / 2);
      }
    }
  }
}
