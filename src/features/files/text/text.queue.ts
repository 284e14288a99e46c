import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { ManagedQueue } from '../../../infra/queue/index.js';
import { TEXT_JOB, type TextJob, type TextRef, TEXTS_QUEUE, toTextJob } from './text.jobs.js';

/** Notifies workers of texts to be extracted. The sweep finds those whose notification was lost. */
@Injectable()
export class TextQueue {
  private readonly logger = new Logger(TextQueue.name);

  constructor(@InjectQueue(TEXTS_QUEUE) private readonly queue: ManagedQueue<TextJob>) {}

  /** Announces texts whose rows are committed. Returns immediately and never fails. */
  announce(texts: readonly TextRef[]): void {
    // The queue would buffer announcements without bound while Redis is unavailable; the rows have the texts anyway.
    if (texts.length === 0 || this.queue.connection.isUnavailable) return;
    const jobs = texts
      .map((text) => ({
        name: TEXT_JOB,
        data: toTextJob(text),
        opts: {
          // At most one job per text waits, so a sweep in the meantime adds none. While a job is active, the queue
          // stores the announcement and adds its job in the same step that ends the active one. This closes the race
          // with a job that has already read the row.
          deduplication: { id: `${text.contentId}-${text.format}`, keepLastIfActive: true },
          removeOnComplete: true,
          removeOnFail: true,
        },
      }))
      // In PostgreSQL each id is locked in turn: two batches in different orders would deadlock.
      .sort((one, other) => (one.opts.deduplication.id < other.opts.deduplication.id ? -1 : 1));
    this.queue.addBulk(jobs).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not queue texts to extract; the sweep will find them');
    });
  }
}
