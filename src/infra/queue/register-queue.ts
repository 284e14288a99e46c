import { BullModule } from '@nestjs/bullmq';
import type { DynamicModule } from '@nestjs/common';
import { ManagedQueue, ManagedWorker } from './managed-queue.js';

// Applies to all queues and workers of the process, so it must run before the first module registers one.
BullModule.queueClass = ManagedQueue;
BullModule.workerClass = ManagedWorker;

const queueNames = new Set<string>();

/** Registers a queue, which is injected as a {@link ManagedQueue}. */
export function registerQueue(name: string): DynamicModule {
  queueNames.add(name);
  return BullModule.registerQueue({ name });
}

/** Returns the names of all queues, sorted: also of those whose modules this process imports without running them. */
export function registeredQueueNames(): string[] {
  return [...queueNames].sort();
}
