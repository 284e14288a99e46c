import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { AppError } from '../../common/errors.js';
import { type AttemptRecord, UsageSink } from '../../llm/index.js';
import { UsageRepository, type UsageEntry } from './usage.repository.js';

/** How long records wait for company, in milliseconds; what a kill -9 can lose. */
const WAIT_MS = 250;

/** Records of one insert. */
const BATCH = 500;

/** Records that are kept while the database is away; about 20 MB. What comes beyond is lost, and said so. */
const CAPACITY = 50_000;

/** Writes the usage of stateless calls, many in one statement. */
@Injectable()
export class BufferedUsageSink extends UsageSink implements OnApplicationShutdown {
  private readonly logger = new Logger('Usage');
  private entries: UsageEntry[] = [];
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly repository: UsageRepository) {
    super();
  }

  override record(
    call: { readonly callId: string; readonly userId: string },
    attempts: readonly AttemptRecord[],
  ): void {
    const owner = { callId: call.callId, userId: call.userId, conversationId: null };
    for (const attempt of attempts) this.entries.push({ owner, attempt });
    if (this.entries.length > CAPACITY) {
      const lost = this.entries.splice(0, this.entries.length - CAPACITY).length;
      this.logger.error(`${lost} usage records were lost, because the database is away for too long`);
    }
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.writing = this.writing.then(() => this.flush());
    }, WAIT_MS);
  }

  /** Writes what is left, before the database is closed. */
  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    await this.writing;
    await this.flush();
  }

  /** Never rejects. What could not be written is kept for the next time; writing twice bills once. */
  private async flush(): Promise<void> {
    while (this.entries.length > 0) {
      const batch = this.entries.slice(0, BATCH);
      try {
        await this.repository.insert(batch);
        this.entries.splice(0, batch.length);
      } catch (error) {
        if (error instanceof AppError && error.code === 'service_unavailable') {
          this.logger.warn({ err: error }, 'usage records could not be written yet');
          return;
        }
        // What the database refuses it will refuse again, and everything behind it would wait for ever.
        this.entries.splice(0, batch.length);
        this.logger.error({ err: error, records: batch.length }, 'usage records were refused and are lost');
      }
    }
  }
}
