import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { ActiveOperations } from '../../common/active-operations.js';
import { hasScope } from '../../common/caller.js';
import { AppError } from '../../common/errors.js';
import { Authenticator, type Principal, type ScopeName } from '../context/authenticator.js';
import { setPrincipal } from '../context/principal.js';
import { routeMetadataOf } from '../context/route-metadata.js';

/** Authenticates requests. Applies to every route that is not `@Public()`. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly operations: ActiveOperations,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { isPublic, scope, fieldScope, adminOnly } = routeMetadataOf(context);
    if (isPublic) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const principal = await this.authenticator.authenticate(credentialOf(request));
    // Set before authorization can fail, so that a forbidden request counts as its sender's and not as anonymous.
    setPrincipal(request, principal, this.operations);
    assertScope(principal, scope);
    if (fieldScope !== undefined && hasField(request.body, fieldScope.field))
      assertScope(principal, fieldScope.scope, `The field '${fieldScope.field}'`);
    if (adminOnly) assertAdmin(principal);
    return true;
  }
}

/** Returns true if a body has a value in a field; null counts as absent. */
function hasField(body: unknown, field: string): boolean {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined;
  return value !== undefined && value !== null;
}

/**
 * Checks that a caller has a scope.
 * @param what the part of the request that requires it, as the beginning of a sentence
 * @throws AppError `insufficient_scope`
 */
export function assertScope(caller: Pick<Principal, 'scopes'>, scope: ScopeName, what = 'This route'): void {
  if (hasScope(caller, scope)) return;
  throw new AppError(
    'insufficient_scope',
    `${what} requires the scope '${scope}', which the API key lacks. Create a key with this scope.`,
  );
}

function assertAdmin({ role }: Principal): void {
  if (role === 'admin') return;
  throw new AppError('forbidden', 'Only admins are allowed to do this.');
}

/**
 * Returns the credential of `Authorization: Bearer …`, or of `X-API-Key` as Anthropic's clients send it.
 * @throws AppError `unauthorized` if there is neither
 */
export function credentialOf(request: Request): string {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const key = request.headers['x-api-key'];
  const credential = bearer ?? (typeof key === 'string' && key !== '' ? key : undefined);
  if (credential !== undefined) return credential;
  throw new AppError(
    'unauthorized',
    'Send an access token or an API key as "Authorization: Bearer <token>". Get a token from POST /api/v1/auth/login.',
  );
}
