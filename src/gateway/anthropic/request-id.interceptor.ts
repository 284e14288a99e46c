import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Response } from 'express';
import type { Observable } from 'rxjs';
import { requestIdOf } from '../../http/index.js';
import { requestIdHeader } from './errors.js';

/** Sets the request id header that Anthropic's clients read, also on successful responses. */
@Injectable()
export class RequestIdInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<Response>();
    response.set(requestIdHeader(requestIdOf(response)));
    return next.handle();
  }
}
