import { BullModule } from '@nestjs/bullmq';
import { type DynamicModule, Module } from '@nestjs/common';
import { createPostgresBackend, setDefaultBackendFactory } from 'bullmq';

/** Connections that the queue may hold in PostgreSQL beside the pool of the application. */
const POSTGRES_CONNECTIONS = 4;

/**
 * The job queue: BullMQ on Redis where there is one, else on our own PostgreSQL. The queue only delivers; what is to
 * be done stands in our tables.
 */
@Module({})
export class QueueModule {
  static forRoot(options: {
    readonly redisUrl: string | undefined;
    readonly connectionString: string;
  }): DynamicModule {
    return { module: QueueModule, global: true, imports: [bullRoot(options)], exports: [BullModule] };
  }
}

function bullRoot({
  redisUrl,
  connectionString,
}: {
  redisUrl: string | undefined;
  connectionString: string;
}): DynamicModule {
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: 100 };
  if (redisUrl !== undefined) return BullModule.forRoot({ connection: { url: redisUrl }, defaultJobOptions });
  // Every queue and worker of the process takes its backend from here, so it must be set before the first is made.
  setDefaultBackendFactory(createPostgresBackend);
  return BullModule.forRoot({
    connection: { connectionString, migrate: true, max: POSTGRES_CONNECTIONS, keepAlive: true },
    defaultJobOptions,
  });
}
