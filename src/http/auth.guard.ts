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
import { AppError } from '../common/errors.js';
import { Authenticator } from './authenticator.js';
import { setPrincipal } from './principal.js';

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
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const open = this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (open === true) return true;
    const request = context.switchToHttp().getRequest<Request>();
    setPrincipal(request, await this.authenticator.authenticate(credentialOf(request)));
    return true;
  }
}

/** `Authorization: Bearer …`, or `X-API-Key` as Anthropic's clients send it. */
function credentialOf(request: Request): string {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const key = request.headers['x-api-key'];
  const credential = bearer ?? (typeof key === 'string' && key !== '' ? key : undefined);
  if (credential !== undefined) return credential;
  throw new AppError(
    'unauthorized',
    'Send an access token as "Authorization: Bearer <token>". POST /api/v1/auth/login gives you one.',
  );
}
