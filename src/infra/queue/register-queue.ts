import { BullModule } from '@nestjs/bullmq';
import type { DynamicModule } from '@nestjs/common';
import { ManagedQueue, ManagedWorker } from './managed-queue.js';

// Applies to all queues and workers of the process, so it must run before the first module registers one.
BullModule.queueClass = ManagedQueue;
BullModule.workerClass = ManagedWorker;

/** Registers a queue, which is injected as a {@link ManagedQueue}. */
export function registerQueue(name: string): DynamicModule {
  return BullModule.registerQueue({ name });
}
