import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Response } from 'express';

/**
 * Protects routes whose URL contains a secret: no cache serves their responses after the secret is revoked, and no
 * search engine indexes them. Sets the headers before the route runs, so that its error responses have them too.
 * Every response already has the header that keeps its URL out of `Referer`.
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
