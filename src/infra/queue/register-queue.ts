import { BullModule } from '@nestjs/bullmq';
import type { DynamicModule } from '@nestjs/common';
import { ManagedQueue, ManagedWorker } from './managed-queue.js';

// For all queues and workers of the process, and before the first module registers one.
BullModule.queueClass = ManagedQueue;
BullModule.workerClass = ManagedWorker;

/** Registers a queue, to be injected as a {@link ManagedQueue}. */
export function registerQueue(name: string): DynamicModule {
  return BullModule.registerQueue({ name });
}
