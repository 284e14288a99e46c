import { type DynamicModule, Module } from '@nestjs/common';
import { Broadcast } from './broadcast.js';
import { RedisConnection, type RedisSettings } from './redis-connection.js';

/** Provides Redis, if configured. */
@Module({})
export class RedisModule {
  static forRoot({ redisUrl, redisKeyPrefix }: RedisSettings): DynamicModule {
    return {
      module: RedisModule,
      global: true,
      providers: [
        { provide: RedisConnection, useFactory: () => new RedisConnection(redisUrl, redisKeyPrefix) },
        Broadcast,
      ],
      exports: [RedisConnection, Broadcast],
    };
  }
}
