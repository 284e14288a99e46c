import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Response } from 'express';

/**
 * For routes that a secret in the address opens: no cache keeps what they answer after it is revoked, and no search
 * engine shows it. Written before the route runs, so that its errors have it too. That the address is told to nobody in
 * a `Referer` is among the headers of every answer.
 */
@Injectable()
export class NoStoreInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    const response = context.switchToHttp().getResponse<Response>();
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Robots-Tag', 'noindex');
    return next.handle();
  }
}
