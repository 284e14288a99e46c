import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { AuthGuard } from './auth.guard.js';
import { errorEntry } from '../errors/error-body.dto.js';
import type { ErrorFormats } from '../errors/error-format.js';
import { sendError } from '../errors/error.filter.js';
import { markRateLimited } from '../context/rate-limit-mark.js';
import { callerOf } from '../context/principal.js';
import { setRateLimitHeaders } from './rate-limit-headers.js';
import { RequestLimiter } from '../context/request-limiter.js';
import { routeMetadataOf } from '../context/route-metadata.js';

/**
 * Asks who makes a request, and then whether one more may be made. It holds the guard that authenticates instead of
 * following it, because a request that fails there has to be counted too: by its address.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly auth: AuthGuard,
    private readonly limiter: RequestLimiter,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (routeMetadataOf(context).unlimited) {
      markRateLimited(context.switchToHttp().getRequest<Request>());
      return this.auth.canActivate(context);
    }
    const refused = await this.auth.canActivate(context).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    // A database that is away says nothing of the credentials, and must not be answered with "too many".
    if (refused !== undefined && !isRefusal(refused.error)) throw refused.error;
    await this.count(context);
    if (refused !== undefined) throw refused.error;
    return true;
  }

  /** @throws AppError `rate_limit_exceeded` */
  private async count(context: ExecutionContext): Promise<void> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    markRateLimited(request);
    const model = routeMetadataOf(context).reachesModel;
    const caller = callerOf(request);
    const admission =
      caller === undefined
        ? await this.limiter.admitAddress(addressOf(request))
        : await this.limiter.admit(caller, model);
    if (model) setRateLimitHeaders(http.getResponse<Response>(), admission);
    if (admission.refusal !== undefined) throw admission.refusal;
  }
}

/** Whether it was looked at who makes the request, and found not to be allowed. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  const { status } = errorEntry(error.code);
  return status === 401 || status === 403;
}

/** The limit by address, for what is served beside the routes: the documentation. */
export function addressLimit(limiter: RequestLimiter, wires: ErrorFormats) {
  return (request: Request, response: Response, next: NextFunction): void => {
    markRateLimited(request);
    limiter.admitAddress(addressOf(request)).then(({ refusal }) => {
      if (refusal === undefined) next();
      else sendError(response, refusal, wires);
    }, next);
  };
}

/** Whom a request comes from, as far as proxies are trusted to tell. */
function addressOf({ ip }: Request): string {
  return ip ?? '';
}
