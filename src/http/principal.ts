import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Caller } from '../common/caller.js';
import type { Principal } from './authenticator.js';

/** Beside the request and not on it, so that nothing a client sends can ever be taken for it. */
const principals = new WeakMap<Request, Principal>();

/** Remembers who makes a request. Only the guard calls it. */
export function setPrincipal(request: Request, principal: Principal): void {
  principals.set(request, principal);
}

/** Who makes a request, or undefined where no valid credentials came with it. */
export function callerOf(request: Request): Caller | undefined {
  return principals.get(request);
}

/** The id of the account that makes the request, as a parameter of a controller method. */
export const UserId = createParamDecorator((_data: unknown, context: ExecutionContext): string => {
  const principal = principals.get(context.switchToHttp().getRequest<Request>());
  if (principal === undefined) throw new Error('A public route asked who the user is.');
  return principal.userId;
});
