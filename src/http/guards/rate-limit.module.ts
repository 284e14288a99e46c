import { Module } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { RateLimitStorage } from '../context/rate-limit.storage.js';

/** Window of every limit of requests, in milliseconds. */
const WINDOW_MS = 60_000;

@Module({ providers: [RateLimitStorage], exports: [RateLimitStorage] })
class RateLimitStorageModule {}

/** The throttler over our storage. Needs a `RequestLimiter`, which the composition root binds. */
@Module({
  imports: [
    RateLimitStorageModule,
    ThrottlerModule.forRootAsync({
      imports: [RateLimitStorageModule],
      inject: [RateLimitStorage],
      // The limit is required; the storage has those of each account and address instead.
      useFactory: (storage: RateLimitStorage) => ({
        storage,
        throttlers: [{ ttl: WINDOW_MS, limit: Number.MAX_SAFE_INTEGER }],
      }),
    }),
  ],
  exports: [RateLimitStorageModule],
})
export class RateLimitModule {}
