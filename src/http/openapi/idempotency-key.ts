import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { InvalidRequestError } from '../../common/errors.js';

/** Valid idempotency keys: visible ASCII characters. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Injects the `Idempotency-Key` of a request into a parameter of a controller method; undefined if there is none.
 * @throws InvalidRequestError if the key is malformed
 */
export const IdempotencyKey = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const key = context.switchToHttp().getRequest<Request>().headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && KEY.test(key)) return key;
  const message = 'Idempotency-Key must have 1 to 255 visible ASCII characters';
  throw new InvalidRequestError(`${message}.`, [{ field: 'Idempotency-Key', message }]);
});

/** Tells the client that the result is that of an earlier request with the same key. */
export function markReplayed(response: Response, { replayed }: { readonly replayed: boolean }): void {
  if (replayed) response.setHeader('Idempotent-Replayed', 'true');
}

/** Documents the `Idempotency-Key` header. */
export function ApiIdempotencyKey(): MethodDecorator {
  return ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'Unique key for this request, chosen by the client and kept for 24 hours. A repeated request with the same key is not executed again: it returns the result of the first one, with `Idempotent-Replayed: true`. Requests that were rejected before anything was stored are not remembered.',
    schema: {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      pattern: KEY.source,
      example: '5f8a1c1e-order-42',
    },
  });
}
