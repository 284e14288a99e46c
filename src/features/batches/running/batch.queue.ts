import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { ManagedQueue } from '../../../infra/queue/index.js';
import type { BatchRef } from '../model/batch.js';
import { BATCH_JOB, type BatchJob, BATCHES_QUEUE, toBatchJob } from './batch.jobs.js';

/** Wakes up workers. The sweep finds batches whose notification was lost. */
@Injectable()
export class BatchQueue {
  private readonly logger = new Logger(BatchQueue.name);

  constructor(@InjectQueue(BATCHES_QUEUE) private readonly queue: ManagedQueue<BatchJob>) {}

  /** Announces a batch whose rows are committed. Returns immediately and never fails. */
  announce(batch: BatchRef): void {
    // The queue would buffer announcements without bound while Redis is unavailable; the rows have the work anyway.
    if (this.queue.connection.isUnavailable) return;
    this.queue
      .add(BATCH_JOB, toBatchJob(batch), {
        // At most one job per batch waits; one that is announced while its job is active is added when that ends.
        deduplication: { id: batch.id, keepLastIfActive: true },
        removeOnComplete: true,
        removeOnFail: true,
      })
      .catch((error: unknown) => {
        this.logger.warn({ err: error }, 'could not queue a batch; the sweep will find it');
      });
  }
}
