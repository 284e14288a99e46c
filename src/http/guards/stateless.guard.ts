import { type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import type { Request } from 'express';
import { InvalidRequestError } from '../../common/errors.js';

/** Refuses requests that name a conversation on routes which keep none: nobody may think that it was kept. */
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

/** For routes of the compatible surfaces that keep no conversation. */
export function Stateless(): MethodDecorator {
  return UseGuards(StatelessGuard);
}
