import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  type BeforeApplicationShutdown,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Job } from 'bullmq';
import { PeriodicTask } from '../../../common/periodic-task.js';
import { runWhenReady } from '../../../infra/queue/index.js';
import { WEBHOOK_DELIVERIES_QUEUE } from '../outbox/webhook.queue.js';
import { DeliveryRepository } from './delivery.repository.js';
import { DeliveryRunner } from './delivery-runner.service.js';

/** Times of the sweep of this process, in milliseconds. */
const SWEEP_MS = { firstAfterMs: 1_000, everyMs: 5_000 } as const;

/** Starts deliveries when they are announced or due. Doing so twice, or in two processes, has no further effect. */
@Processor(WEBHOOK_DELIVERIES_QUEUE, { autorun: false, concurrency: 1 })
export class DeliveryProcessor
  extends WorkerHost
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown
{
  private readonly logger = new Logger(DeliveryProcessor.name);
  private readonly sweeping = new PeriodicTask({
    ...SWEEP_MS,
    run: async (signal) => {
      await this.deliveries.expireDeliveries(signal);
      await this.runner.startDueDeliveries();
    },
    onError: (error) => {
      this.logger.warn({ err: error }, 'could not look for webhook deliveries; the next sweep will retry');
    },
  });

  constructor(
    private readonly runner: DeliveryRunner,
    private readonly deliveries: DeliveryRepository,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    // In each process, so that it also runs while the queue has lost its data.
    this.sweeping.start();
    // Not awaited: after a kill -9 the database may take seconds to accept the new worker.
    runWhenReady(this.worker).catch((error: unknown) => {
      this.logger.error(
        { err: error },
        'webhook deliveries start late in this process until it is restarted',
      );
    });
  }

  /** Releases the claims of this process, in the first phase of the shutdown, as for ingestions. */
  async onModuleDestroy(): Promise<void> {
    await this.runner.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.sweeping.stop();
  }

  /** Ends once deliveries are claimed, so that the next announcement is not delayed by a receiver. */
  override async process(): Promise<void> {
    await this.runner.startDueDeliveries();
  }

  /** Handles a failed job. The rows are unchanged, so the sweep finds them. */
  @OnWorkerEvent('failed')
  onFailed(_job: Job | undefined, error: Error): void {
    this.logger.warn({ err: error }, 'could not start webhook deliveries; the sweep will');
  }
}
