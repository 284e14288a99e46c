import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { ActiveOperations } from '../../common/active-operations.js';
import type { Actor } from '../../common/actor.js';
import type { AccountCredential, Caller } from '../../common/caller.js';
import type { Principal } from './authenticator.js';

interface Known {
  readonly principal: Principal;
  readonly operations: ActiveOperations;
}

/** A WeakMap instead of a property of the request, so that nothing a client sends can be mistaken for it. */
const principals = new WeakMap<Request, Known>();

/** Stores the principal of a request. Only the guard calls it. */
export function setPrincipal(request: Request, principal: Principal, operations: ActiveOperations): void {
  principals.set(request, { principal, operations });
}

/**
 * Calls `stop` when the sender's access is revoked while the request is being handled.
 * @returns a function that removes the callback
 */
export function onAccessRevoked(request: Request, stop: () => void): () => void {
  const known = principals.get(request);
  return known === undefined ? () => undefined : known.operations.register(known.principal, stop);
}

function principalOf(context: ExecutionContext): Principal {
  const known = principals.get(context.switchToHttp().getRequest<Request>());
  if (known === undefined) throw new Error('A public route requested the current user.');
  return known.principal;
}

/** Returns the authenticated sender of a request; undefined if it has no valid credentials. */
export function callerOf(request: Request): Caller | undefined {
  return principals.get(request)?.principal;
}

/** Injects the id of the authenticated account into a parameter of a controller method. */
export const UserId = createParamDecorator((_data: unknown, context: ExecutionContext): string => {
  return principalOf(context).userId;
});

/** Injects the authenticated account and its API key into a parameter of a controller method. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { userId, apiKeyId, cacheGeneration, scopes } = principalOf(context);
  return { userId, apiKeyId, cacheGeneration, scopes };
});

/** Injects the session or the API key that authenticated the request into a parameter of a controller method. */
export const CurrentCredential = createParamDecorator(
  (_data: unknown, context: ExecutionContext): AccountCredential => {
    const { userId, sessionId, apiKeyId } = principalOf(context);
    return { userId, sessionId, apiKeyId };
  },
);

/**
 * Injects the account and its address, for the audit log, into a parameter of a controller method. Works on public
 * routes too.
 */
export const CurrentActor = createParamDecorator((_data: unknown, context: ExecutionContext): Actor => {
  const request = context.switchToHttp().getRequest<Request>();
  return { userId: principals.get(request)?.principal.userId ?? null, address: request.ip ?? null };
});
