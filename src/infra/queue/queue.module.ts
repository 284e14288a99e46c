import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { createPostgresBackend, setDefaultBackendFactory } from 'bullmq';
import type { RedisSettings } from '../redis/index.js';

/** Connections that the queue may hold in PostgreSQL beside the pool of the application. */
const POSTGRES_CONNECTIONS = 4;

/** BullMQ's own default, so that jobs queued before the prefix was a setting are found. */
const BULL_PREFIX = 'bull';

interface QueueOptions extends RedisSettings {
  readonly connectionString: string;
}

/**
 * The job queue: BullMQ on Redis where there is one, else on our own PostgreSQL. The queue only delivers; what is to
 * be done stands in our tables.
 */
@Module({})
export class QueueModule {
  static forRoot(options: QueueOptions): DynamicModule {
    return { module: QueueModule, global: true, imports: [bullRoot(options)], exports: [BullModule] };
  }
}

function bullRoot({ redisUrl, redisKeyPrefix, connectionString }: QueueOptions): DynamicModule {
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: 100 };
  if (redisUrl !== undefined) {
    const prefix = redisKeyPrefix + BULL_PREFIX;
    return BullModule.forRoot({ connection: { url: redisUrl }, prefix, defaultJobOptions });
  }
  // Every queue and worker of the process takes its backend from here, so it must be set before the first is made.
  setDefaultBackendFactory(createPostgresBackend);
  return BullModule.forRoot({
    connection: { connectionString, migrate: true, max: POSTGRES_CONNECTIONS, keepAlive: true },
    defaultJobOptions,
  });
}
