import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../common/errors.js';
import { routeMetadataOf } from '../context/route-metadata.js';

/** Error message for a body that is not JSON, or not in UTF-8. */
export const NOT_JSON = 'Send the request body as JSON in UTF-8, with "Content-Type: application/json".';

/** Error message for a body that is not a form, or is compressed. */
const NOT_FORM =
  'Send the file as a form, with "Content-Type: multipart/form-data" and a boundary, and without Content-Encoding. HTTP clients set both when they build the form.';

/** Error message for a body that is neither a form nor JSON. */
const NEITHER =
  'Send the request as a form with a file, with "Content-Type: multipart/form-data" and a boundary and without Content-Encoding, or as JSON in UTF-8, with "Content-Type: application/json".';

/**
 * Rejects bodies that are not JSON, or not a form on routes that take one. Otherwise such a body would be treated as
 * absent, and the error would report missing fields.
 */
@Injectable()
export class ContentTypeGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const { forms } = routeMetadataOf(context);
    if (forms !== 'none') {
      if (declaresForm(request) || (forms === 'or_json' && declaresJson(request))) return true;
      throw new AppError('unsupported_media_type', forms === 'only' ? NOT_FORM : NEITHER);
    }
    if (!hasBody(request) || declaresJson(request)) return true;
    throw new AppError('unsupported_media_type', NOT_JSON);
  }
}

/** Returns true if a request declares its body as a form that is not compressed. */
export function declaresForm({ headers }: IncomingMessage): boolean {
  const encoding = headers['content-encoding'] ?? 'identity';
  return encoding === 'identity' && /^multipart\/form-data *;/i.test(headers['content-type'] ?? '');
}

/**
 * Returns true if a request declares its body as JSON in UTF-8, the only encoding of JSON (RFC 8259, section 8.1).
 */
export function declaresJson(request: IncomingMessage): boolean {
  const [type, ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (charset === undefined || /^charset="?utf-8"?$/.test(charset));
}

/** Returns true if a request declares a body. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
