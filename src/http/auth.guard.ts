import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiSecurity } from '@nestjs/swagger';
import type { Request } from 'express';
import { Activities } from '../common/activities.js';
import { AppError } from '../common/errors.js';
import { Authenticator, type Principal, type ScopeName } from './authenticator.js';
import { setPrincipal } from './principal.js';
import { ADMIN_ONLY, SCOPE } from './scope.js';

const PUBLIC = 'parley:public';

/** Opens a route to everybody. Without it a route needs credentials. */
export function Public(): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(PUBLIC, true), ApiSecurity({}));
}

/** On for every route unless it is `@Public()`. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly authenticator: Authenticator,
    private readonly activities: Activities,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, places) === true) return true;
    const request = context.switchToHttp().getRequest<Request>();
    const principal = await this.authenticator.authenticate(credentialOf(request));
    // Known before it may be refused: what it may not do counts as its own request, and not as a stranger's.
    setPrincipal(request, principal, this.activities);
    assertScope(principal, this.reflector.getAllAndOverride<ScopeName | undefined>(SCOPE, places) ?? 'admin');
    if (this.reflector.getAllAndOverride<boolean | undefined>(ADMIN_ONLY, places) === true)
      assertAdmin(principal);
    return true;
  }
}

function assertScope({ scopes }: Principal, scope: ScopeName): void {
  if (scopes === 'all' || scopes.has(scope)) return;
  throw new AppError(
    'insufficient_scope',
    `This route needs the scope '${scope}', which the API key does not have. Make a key that has it.`,
  );
}

function assertAdmin({ role }: Principal): void {
  if (role === 'admin') return;
  throw new AppError('forbidden', 'Only admins may do this.');
}

/**
 * `Authorization: Bearer …`, or `X-API-Key` as Anthropic's clients send it.
 * @throws AppError `unauthorized` where there is neither
 */
export function credentialOf(request: Request): string {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const key = request.headers['x-api-key'];
  const credential = bearer ?? (typeof key === 'string' && key !== '' ? key : undefined);
  if (credential !== undefined) return credential;
  throw new AppError(
    'unauthorized',
    'Send an access token or an API key as "Authorization: Bearer <token>". POST /api/v1/auth/login gives you a token.',
  );
}
