import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { AuthGuard } from './auth.guard.js';
import { ContentTypeGuard } from './content-type.guard.js';
import { ErrorFilter } from './error.filter.js';
import { LimitGuard } from './limit.guard.js';
import { RedocController } from './redoc.controller.js';
import { validationPipe } from './validation.pipe.js';

/** What every route shares. Needs an `Authenticator` and a `RequestLimiter`, which the composition root binds. */
@Module({
  controllers: [RedocController],
  providers: [
    { provide: APP_FILTER, useClass: ErrorFilter },
    AuthGuard,
    { provide: APP_GUARD, useClass: LimitGuard },
    { provide: APP_GUARD, useClass: ContentTypeGuard },
    { provide: APP_PIPE, useFactory: validationPipe },
  ],
})
export class HttpModule {}
