import { getSharedConfigToken } from '@nestjs/bullmq';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { QueueOptions } from 'bullmq';
import { ManagedQueue } from './managed-queue.js';
import { registeredQueueNames } from './register-queue.js';

/** Finds the queues of the installation. */
@Injectable()
export class QueueDirectory implements OnApplicationShutdown {
  /** Queues that no module of this process uses, opened when they are asked for. */
  private readonly opened = new Map<string, ManagedQueue>();
  private isClosed = false;

  constructor(
    private readonly modules: ModulesContainer,
    @Inject(getSharedConfigToken()) private readonly options: QueueOptions,
  ) {}

  /**
   * Returns every queue once, sorted by name. Reuses the queues of the process, and with them their connections; opens only
   * the queues of jobs that other processes run.
   */
  listQueues(): ManagedQueue[] {
    const inUse = this.findQueuesInUse();
    return registeredQueueNames().flatMap((name) => inUse.get(name) ?? this.openQueue(name));
  }

  async onApplicationShutdown(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.opened.values()].map((queue) => queue.close()));
  }

  private findQueuesInUse(): Map<string, ManagedQueue> {
    const providers = [...this.modules.values()].flatMap((module) => [...module.providers.values()]);
    const queues = providers.flatMap(({ instance }: { readonly instance: unknown }) =>
      instance instanceof ManagedQueue ? [instance] : [],
    );
    return new Map(queues.map((queue) => [queue.name, queue]));
  }

  private openQueue(name: string): ManagedQueue[] {
    const known = this.opened.get(name);
    if (known !== undefined) return [known];
    // A queue that is opened during the shutdown would never be closed, and would hold the process.
    if (this.isClosed) return [];
    const queue = new ManagedQueue(name, this.options);
    this.opened.set(name, queue);
    return [queue];
  }
}
