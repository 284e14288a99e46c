import { type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import type { Request } from 'express';
import { InvalidRequestError } from '../../common/errors.js';

/** Rejects requests that name a conversation on routes that store none: no client may believe that it was stored. */
@Injectable()
class StatelessGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<Request>();
    if (headers['x-conversation-id'] === undefined) return true;
    const message = 'X-Conversation-ID is supported at /v1/chat/completions only';
    throw new InvalidRequestError(`${message}. Omit it, or use that route.`, [
      { field: 'X-Conversation-ID', message },
    ]);
  }
}

/** Marks a route of a compatible API that stores no conversation. */
export function Stateless(): MethodDecorator {
  return UseGuards(StatelessGuard);
}
