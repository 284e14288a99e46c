import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../common/errors.js';

/** Refuses bodies that are not JSON. Without it such a body would count as none and be told as missing fields. */
@Injectable()
export class ContentTypeGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    // `is` is null where there is no body at all.
    const matches = request.is('application/json');
    if (matches === null || typeof matches === 'string' || request.headers['content-length'] === '0')
      return true;
    throw new AppError(
      'unsupported_media_type',
      'Send the request body as JSON, with "Content-Type: application/json".',
    );
  }
}
