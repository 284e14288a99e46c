import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { type ConnectionOptions, createPostgresBackend, setDefaultBackendFactory } from 'bullmq';
import pg from 'pg';
import type { RedisSettings } from '../redis/index.js';
import { QueueClient } from './queue-client.js';
import { QueueDirectory } from './queue-directory.js';

/** Maximum number of PostgreSQL connections of the queue, in addition to the application's pool. */
const POSTGRES_CONNECTIONS = 4;

/**
 * Pause between two attempts to connect to Redis, in milliseconds: jobs are processed again within a second of its
 * return.
 */
const RECONNECT_MS = 1_000;

/** Maximum duration of connecting to Redis, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

/**
 * Maximum wait for a response that Redis owes us, in milliseconds. A worker waits for a job for 10 s at most, and
 * Redis then sends a response.
 */
const SILENCE_MS = 15_000;

/** BullMQ's own default, so that jobs are found that were queued before the prefix was a setting. */
const BULL_PREFIX = 'bull';

interface QueueOptions extends RedisSettings {
  readonly connectionString: string;
}

/**
 * Provides the job queue: BullMQ on Redis if configured, otherwise on our own PostgreSQL. The queue only delivers
 * jobs; our tables define the work.
 */
@Module({})
export class QueueModule {
  static forRoot(options: QueueOptions): DynamicModule {
    return {
      module: QueueModule,
      global: true,
      imports: [bullRoot(options)],
      providers: [QueueDirectory],
      exports: [BullModule, QueueDirectory],
    };
  }
}

function bullRoot({ redisUrl, redisKeyPrefix, connectionString }: QueueOptions): DynamicModule {
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: 100 };
  if (redisUrl !== undefined) {
    const prefix = redisKeyPrefix + BULL_PREFIX;
    return BullModule.forRoot({ connection: redisOptions(redisUrl), prefix, defaultJobOptions });
  }
  // Every queue and worker of the process uses this backend, so it must be set before the first one is created.
  setDefaultBackendFactory(createPostgresBackend);
  // BullMQ 6.7.0 adds its listener to a LISTEN client only after it has connected. A database that stops at that moment
  // would end the process by an error without a listener.
  Reflect.set(pg, 'Client', QueueClient);
  return BullModule.forRoot({
    connection: {
      connectionString,
      migrate: true,
      max: POSTGRES_CONNECTIONS,
      keepAlive: true,
      Client: QueueClient,
    },
    defaultJobOptions,
  });
}

function redisOptions(url: string): ConnectionOptions {
  return {
    url,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: () => RECONNECT_MS,
    // BullMQ requests the version of Redis once. A connection for which that request fails stays unusable.
    maxRetriesPerRequest: null,
  };
}
