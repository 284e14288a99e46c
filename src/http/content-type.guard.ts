import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../common/errors.js';

/** Refuses bodies that are not JSON. Without it such a body would count as none and be told as missing fields. */
@Injectable()
export class ContentTypeGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    if (!hasBody(request) || declaresJson(request)) return true;
    throw new AppError(
      'unsupported_media_type',
      'Send the request body as JSON in UTF-8, with "Content-Type: application/json".',
    );
  }
}

/** Whether a request says that its body is JSON in UTF-8, the only encoding that JSON has (RFC 8259, section 8.1). */
export function declaresJson(request: IncomingMessage): boolean {
  const [type, ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (charset === undefined || /^charset="?utf-8"?$/.test(charset));
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
