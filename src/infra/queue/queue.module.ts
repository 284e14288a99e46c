import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Module, type OnApplicationShutdown, Optional } from '@nestjs/common';
import { type ConnectionOptions, createPostgresBackend, setDefaultBackendFactory } from 'bullmq';
import type { RedisSettings } from '../redis/index.js';
import { QueueDirectory } from './queue-directory.js';
import { QueuePool } from './queue-pool.js';

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
export class QueueModule implements OnApplicationShutdown {
  constructor(@Optional() private readonly pool?: QueuePool) {}

  static forRoot(options: QueueOptions): DynamicModule {
    return {
      module: QueueModule,
      global: true,
      imports: [bullRoot(options)],
      providers: [QueueDirectory],
      exports: [BullModule, QueueDirectory],
    };
  }

  /** Runs after the hooks of all modules with queues, because this module is global. */
  async onApplicationShutdown(): Promise<void> {
    await this.pool?.close();
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
  return BullModule.forRootAsync({
    imports: [QueuePoolModule.forRoot(connectionString)],
    inject: [QueuePool],
    useFactory: (connection: QueuePool) => ({ connection, defaultJobOptions }),
  });
}

/** Provides the connections of the queues to PostgreSQL to their shared configuration and to {@link QueueModule}. */
@Module({})
class QueuePoolModule {
  static forRoot(connectionString: string): DynamicModule {
    return {
      module: QueuePoolModule,
      global: true,
      providers: [{ provide: QueuePool, useFactory: () => QueuePool.open(connectionString) }],
      exports: [QueuePool],
    };
  }
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
