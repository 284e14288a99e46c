import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { DAY_MS } from '../../../common/durations.js';
import type { ScheduledTask } from '../../../infra/queue/index.js';
import { DeliveryRepository } from './delivery.repository.js';

/** Retention of deliveries, in milliseconds. */
export const DELIVERY_RETENTION_MS = 30 * DAY_MS;

/** Deletes old deliveries. Concurrent runs are harmless. */
@Injectable()
export class DeliveryRetention implements ScheduledTask {
  readonly name = 'webhook-delivery-retention';
  readonly firstAfterMs = 90_000;
  readonly everyMs = DAY_MS;
  private readonly logger = new Logger(DeliveryRetention.name);

  constructor(
    private readonly deliveries: DeliveryRepository,
    private readonly clock: Clock,
  ) {}

  /**
   * Deletes old deliveries.
   * @returns the number of deleted deliveries
   */
  async run(signal?: AbortSignal): Promise<number> {
    const deleted = await this.deliveries.deleteBefore(this.clock.now() - DELIVERY_RETENTION_MS, signal);
    if (deleted > 0) this.logger.log(`deleted ${deleted} old webhook deliveries`);
    return deleted;
  }
}
