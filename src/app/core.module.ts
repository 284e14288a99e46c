import { type DynamicModule, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { configModule, MIGRATIONS_DIRECTORY } from '../config/index.js';
import { DatabaseModule } from '../infra/database/index.js';
import { ActiveOperations } from '../common/active-operations.js';
import { Clock } from '../common/clock.js';
import { ShutdownState } from '../common/shutdown-state.js';
import { SharedCache } from '../infra/cache/index.js';
import { Metrics } from '../infra/metrics/index.js';
import { QueueModule } from '../infra/queue/index.js';
import { RedisConnection, RedisModule } from '../infra/redis/index.js';
import { StorageModule } from '../infra/storage/index.js';
import { nestLogging } from '../infra/telemetry/index.js';
import type { Runtime } from './runtime.js';

/** Shared by both processes: configuration, logging, database, files and queue. */
@Module({})
export class CoreModule {
  static forRoot({ config, logger, connectionString, clock = new Clock() }: Runtime): DynamicModule {
    return {
      module: CoreModule,
      global: true,
      imports: [
        configModule(config),
        LoggerModule.forRoot(nestLogging(logger)),
        DatabaseModule.forRoot({
          connectionString,
          poolMax: config.database.poolMax,
          migrationsDirectory: MIGRATIONS_DIRECTORY,
        }),
        RedisModule.forRoot(config),
        StorageModule.forRoot({ dataDir: config.dataDir, s3: config.files.s3 }),
        QueueModule.forRoot({
          redisUrl: config.redisUrl,
          redisKeyPrefix: config.redisKeyPrefix,
          connectionString,
        }),
      ],
      providers: [
        { provide: ActiveOperations, useFactory: () => new ActiveOperations() },
        { provide: ShutdownState, useFactory: () => new ShutdownState() },
        { provide: Clock, useValue: clock },
        { provide: Metrics, useFactory: () => new Metrics(config.version) },
        {
          provide: SharedCache,
          inject: [RedisConnection],
          useFactory: ({ client }: RedisConnection) => new SharedCache(client, config.cache),
        },
      ],
      exports: [ActiveOperations, Clock, Metrics, SharedCache, ShutdownState],
    };
  }
}
