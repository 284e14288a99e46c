import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import type { ManagedQueue } from '../../../infra/queue/index.js';
import type { IngestionRef } from './ingestion.js';
import { INGESTION_JOB, type IngestionJob, INGESTIONS_QUEUE, toIngestionJob } from './ingestion.jobs.js';

/** Longest delay of an announcement, in milliseconds. The sweep finds ingestions that are due later. */
const MAX_DELAY_MS = 15_000;

/** Notifies workers of ingestions. The sweep finds those whose notification was lost. */
@Injectable()
export class IngestionQueue implements OnModuleDestroy {
  private readonly logger = new Logger(IngestionQueue.name);
  private readonly timers = new Set<NodeJS.Timeout>();

  constructor(@InjectQueue(INGESTIONS_QUEUE) private readonly queue: ManagedQueue<IngestionJob>) {}

  /** Forgets the announcements that wait for their time. */
  onModuleDestroy(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  /** Announces ingestions whose rows are committed. Returns immediately and never fails. */
  announce(ingestions: readonly IngestionRef[]): void {
    // The queue would buffer announcements without bound while Redis is unavailable; the rows have the work anyway.
    if (ingestions.length === 0 || this.queue.connection.isUnavailable) return;
    const jobs = ingestions
      .map((ingestion) => ({
        name: INGESTION_JOB,
        data: toIngestionJob(ingestion),
        // At most one job per ingestion waits. One that is announced while its job is active is added when that job
        // ends, which closes the race with a job that has already read the row.
        opts: {
          deduplication: { id: ingestion.id, keepLastIfActive: true },
          removeOnComplete: true,
          removeOnFail: true,
        },
      }))
      // In PostgreSQL each id is locked in turn: two batches in different orders would deadlock.
      .sort((one, other) => (one.opts.deduplication.id < other.opts.deduplication.id ? -1 : 1));
    this.queue.addBulk(jobs).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not queue ingestions; the sweep will find them');
    });
  }

  /** Announces an ingestion once it is due; left to the sweep if that is later or this process ends first. */
  announceLater(ingestion: IngestionRef, delayMs: number): void {
    if (delayMs > MAX_DELAY_MS) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.announce([ingestion]);
    }, delayMs).unref();
    this.timers.add(timer);
  }
}
