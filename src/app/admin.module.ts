import { type DynamicModule, Module } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { configModule, MIGRATIONS_DIRECTORY } from '../config/index.js';
import { AuthModule } from '../features/auth/index.js';
import { USER_DELETION_HOOKS } from '../features/users/index.js';
import { DatabaseModule } from '../infra/database/index.js';
import { Metrics } from '../infra/metrics/index.js';
import { RedisModule } from '../infra/redis/index.js';
import type { Runtime } from './runtime.js';
import { ActiveOperations } from '../common/active-operations.js';

/** Only the accounts, for a short-lived command: no routes, jobs or models. */
@Module({})
export class AdminModule {
  static forRoot({ config, connectionString }: Omit<Runtime, 'logger'>): DynamicModule {
    return {
      module: AdminModule,
      global: true,
      imports: [
        configModule(config),
        DatabaseModule.forRoot({ connectionString, poolMax: 1, migrationsDirectory: MIGRATIONS_DIRECTORY }),
        RedisModule.forRoot(config),
        AuthModule,
      ],
      providers: [
        { provide: ActiveOperations, useFactory: () => new ActiveOperations() },
        { provide: Clock, useFactory: () => new Clock() },
        { provide: Metrics, useFactory: () => new Metrics(config.version) },
        // There are no operations that a deletion would have to stop, and nothing is deleted.
        { provide: USER_DELETION_HOOKS, useValue: [] },
      ],
      exports: [ActiveOperations, Clock, Metrics, USER_DELETION_HOOKS],
    };
  }
}
