import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { ManagedQueue } from '../../../infra/queue/index.js';

/** The queue of webhook deliveries. */
export const WEBHOOK_DELIVERIES_QUEUE = 'webhook-deliveries';

/** The job that makes a worker look for deliveries that are due. It has no payload: the rows have the deliveries. */
const WAKE_UP_JOB = 'webhook-wake-up';

/** Notifies workers of deliveries. The sweep finds those whose notification was lost. */
@Injectable()
export class WebhookQueue {
  private readonly logger = new Logger(WebhookQueue.name);

  constructor(@InjectQueue(WEBHOOK_DELIVERIES_QUEUE) private readonly queue: ManagedQueue) {}

  /** Announces deliveries whose rows are committed. Returns immediately and never fails. */
  announceDeliveries(): void {
    // The queue would buffer announcements without bound while Redis is unavailable; the rows have the work anyway.
    if (this.queue.connection.isUnavailable) return;
    const opts = {
      // At most one job waits. One that is announced while another is active is added when that one ends, which closes
      // the race with a job that has already read the rows.
      deduplication: { id: WAKE_UP_JOB, keepLastIfActive: true },
      removeOnComplete: true,
      removeOnFail: true,
    };
    this.queue.add(WAKE_UP_JOB, {}, opts).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'could not announce webhook deliveries; the sweep will find them');
    });
  }
}
