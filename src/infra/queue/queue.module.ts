import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { type ConnectionOptions, createPostgresBackend, setDefaultBackendFactory } from 'bullmq';
import type { RedisSettings } from '../redis/index.js';

/** Connections that the queue may hold in PostgreSQL beside the pool of the application. */
const POSTGRES_CONNECTIONS = 4;

/** Pause between two attempts to connect to Redis, in milliseconds: jobs flow again within a second of its return. */
const RECONNECT_MS = 1_000;

/** Longest wait for a new connection to Redis, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;

/**
 * Longest silence of a Redis that owes an answer, in milliseconds. A worker's longest wait for a job is 10 s, which Redis
 * ends with an answer.
 */
const SILENCE_MS = 15_000;

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
    return BullModule.forRoot({ connection: redisOptions(redisUrl), prefix, defaultJobOptions });
  }
  // Every queue and worker of the process takes its backend from here, so it must be set before the first is made.
  setDefaultBackendFactory(createPostgresBackend);
  return BullModule.forRoot({
    connection: { connectionString, migrate: true, max: POSTGRES_CONNECTIONS, keepAlive: true },
    defaultJobOptions,
  });
}

function redisOptions(url: string): ConnectionOptions {
  return {
    url,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: () => RECONNECT_MS,
    // BullMQ asks for the version of Redis once, and a connection for which that fails is of no use for ever after.
    maxRetriesPerRequest: null,
  };
}
