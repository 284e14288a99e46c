import { type DynamicModule, Module } from '@nestjs/common';
import { Broadcast } from './broadcast.js';
import { RedisConnection } from './redis-connection.js';

/** Redis, where there is one. */
@Module({})
export class RedisModule {
  static forRoot(options: { readonly redisUrl: string | undefined }): DynamicModule {
    return {
      module: RedisModule,
      global: true,
      providers: [
        { provide: RedisConnection, useFactory: () => new RedisConnection(options.redisUrl) },
        Broadcast,
      ],
      exports: [RedisConnection, Broadcast],
    };
  }
}
