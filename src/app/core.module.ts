import { type DynamicModule, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { configModule } from '../config/index.js';
import { DatabaseModule } from '../infra/database/index.js';
import { ActiveOperations } from '../common/active-operations.js';
import { Clock } from '../common/clock.js';
import { SharedCache } from '../infra/cache/index.js';
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
        DatabaseModule.forRoot({ connectionString, poolMax: config.database.poolMax }),
        RedisModule.forRoot(config),
        StorageModule.forRoot({ dataDir: config.dataDir }),
        QueueModule.forRoot({
          redisUrl: config.redisUrl,
          redisKeyPrefix: config.redisKeyPrefix,
          connectionString,
        }),
      ],
      providers: [
        { provide: ActiveOperations, useFactory: () => new ActiveOperations() },
        { provide: Clock, useValue: clock },
        {
          provide: SharedCache,
          inject: [RedisConnection],
          useFactory: ({ client }: RedisConnection) => new SharedCache(client, config.cache),
        },
      ],
      exports: [ActiveOperations, Clock, SharedCache],
    };
  }
}
