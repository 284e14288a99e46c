import { type DynamicModule, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import { AppConfig } from './config/index.js';
import { DatabaseModule } from './infra/database/index.js';
import { QueueModule } from './infra/queue/index.js';
import type { Runtime } from './runtime.js';

/** What both processes stand on: configuration, log, database, queue. */
@Module({})
export class InfrastructureModule {
  static forRoot({ config, logger, connectionString }: Runtime): DynamicModule {
    return {
      module: InfrastructureModule,
      global: true,
      imports: [
        // Requests are logged by a middleware of http/, which must stand before the body parser.
        LoggerModule.forRoot({ pinoHttp: { logger }, forRoutes: [] }),
        DatabaseModule.forRoot({ connectionString, poolMax: config.database.poolMax }),
        QueueModule.forRoot({ redisUrl: config.redisUrl, connectionString }),
      ],
      providers: [{ provide: AppConfig, useValue: config }],
      exports: [AppConfig],
    };
  }
}
