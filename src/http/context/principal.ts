import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { ActiveOperations } from '../../common/active-operations.js';
import type { Actor } from '../../common/actor.js';
import type { Caller } from '../../common/caller.js';
import type { Principal } from './authenticator.js';

interface Known {
  readonly principal: Principal;
  readonly activities: ActiveOperations;
}

/** Beside the request and not on it, so that nothing a client sends can ever be taken for it. */
const principals = new WeakMap<Request, Known>();

/** Remembers who makes a request. Only the guard calls it. */
export function setPrincipal(request: Request, principal: Principal, activities: ActiveOperations): void {
  principals.set(request, { principal, activities });
}

/**
 * Calls `stop` when whoever makes the request is shut out while it is being answered.
 * @returns forgets it
 */
export function onAccessRevoked(request: Request, stop: () => void): () => void {
  const known = principals.get(request);
  return known === undefined ? () => undefined : known.activities.register(known.principal, stop);
}

function principalOf(context: ExecutionContext): Principal {
  const known = principals.get(context.switchToHttp().getRequest<Request>());
  if (known === undefined) throw new Error('A public route requested the current user.');
  return known.principal;
}

/** Who makes a request, or undefined where no valid credentials came with it. */
export function callerOf(request: Request): Caller | undefined {
  return principals.get(request)?.principal;
}

/** The id of the account that makes the request, as a parameter of a controller method. */
export const UserId = createParamDecorator((_data: unknown, context: ExecutionContext): string => {
  return principalOf(context).userId;
});

/** The account that makes the request and the key that it uses, as a parameter of a controller method. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { userId, apiKeyId, cacheGeneration } = principalOf(context);
  return { userId, apiKeyId, cacheGeneration };
});

/** Who does it and from where, for the audit log, as a parameter of a controller method. On public routes too. */
export const CurrentActor = createParamDecorator((_data: unknown, context: ExecutionContext): Actor => {
  const request = context.switchToHttp().getRequest<Request>();
  return { userId: principals.get(request)?.principal.userId ?? null, address: request.ip ?? null };
});
