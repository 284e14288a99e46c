import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AuthGuard } from './guards/auth.guard.js';
import { ContentTypeGuard } from './guards/content-type.guard.js';
import { ErrorFilter } from './errors/error.filter.js';
import { MetricsController } from './server/metrics.controller.js';
import { RateLimitGuard } from './guards/rate-limit.guard.js';
import { RateLimitModule } from './guards/rate-limit.module.js';
import { RedocController } from './openapi/redoc.controller.js';
import { validationPipe } from './body/validation.pipe.js';

/**
 * Provides what every route shares. Needs an `Authenticator` and a `RequestLimiter`, which the composition root
 * binds.
 */
@Module({
  imports: [RateLimitModule],
  controllers: [RedocController, MetricsController],
  providers: [
    { provide: APP_FILTER, useClass: ErrorFilter },
    AuthGuard,
    { provide: APP_GUARD, useClass: RateLimitGuard },
    { provide: APP_GUARD, useClass: ContentTypeGuard },
    { provide: APP_PIPE, useFactory: validationPipe },
  ],
})
export class HttpModule {}
