import { type DynamicModule, Module } from '@nestjs/common';
import { Broadcast } from './broadcast.js';
import { RedisConnection, type RedisSettings } from './redis-connection.js';

/** Redis, where there is one. */
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
