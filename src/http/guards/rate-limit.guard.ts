import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  InjectThrottlerOptions,
  ThrottlerGuard,
  type ThrottlerModuleOptions,
  type ThrottlerRequest,
} from '@nestjs/throttler';
import type { NextFunction, Request, Response } from 'express';
import { AppError } from '../../common/errors.js';
import { AuthGuard } from './auth.guard.js';
import { errorEntry } from '../errors/error-body.dto.js';
import type { ErrorFormats } from '../errors/error-format.js';
import { sendError } from '../errors/error.filter.js';
import { markRateLimited } from '../context/rate-limit-mark.js';
import { callerOf } from '../context/principal.js';
import { setRateLimitHeaders } from './rate-limit-headers.js';
import { accountKey, addressKey, modelKey, RateLimitStorage } from '../context/rate-limit.storage.js';
import { type RouteMetadata, routeMetadataOf } from '../context/route-metadata.js';

/**
 * Authenticates a request, and then limits it. It holds the guard that authenticates instead of following it, because a
 * request that fails there has to be counted too: by its address.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  /**
   * The decorators of each route as the throttler has read them; undefined for `@SkipThrottle()`. It would read them by
   * reflection for each request, which costs about a thirtieth of one. There is one throttler.
   */
  private readonly routes = new WeakMap<RouteMetadata, Omit<ThrottlerRequest, 'context'> | undefined>();

  constructor(
    @InjectThrottlerOptions() options: ThrottlerModuleOptions,
    private readonly storage: RateLimitStorage,
    reflector: Reflector,
    private readonly auth: AuthGuard,
  ) {
    super(options, storage, reflector);
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    // This guard counts the request, so the error filter must not count it again by its address.
    markRateLimited(context.switchToHttp().getRequest<Request>());
    const refused = await this.auth.canActivate(context).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    // An unavailable database says nothing about the credentials: answer with its error, never with a 429.
    if (refused !== undefined && !isRefusal(refused.error)) throw refused.error;
    await this.limit(context);
    if (refused !== undefined) throw refused.error;
    return true;
  }

  private async limit(context: ExecutionContext): Promise<void> {
    const route = routeMetadataOf(context);
    const known = this.routes.get(route);
    if (known !== undefined) await this.handleRequest({ ...known, context });
    else if (!this.routes.has(route)) {
      await super.canActivate(context);
      // `handleRequest` was not called.
      if (!this.routes.has(route)) this.routes.set(route, undefined);
    }
  }

  /**
   * Replaces the throttler's own handling: OpenAI's clients do not read its exception, nor its headers, which are in
   * whole seconds and the same on every route.
   * @throws AppError `rate_limit_exceeded`
   */
  protected override async handleRequest({ context, ...options }: ThrottlerRequest): Promise<boolean> {
    const route = routeMetadataOf(context);
    if (!this.routes.has(route)) this.routes.set(route, options);
    const { throttler, getTracker, generateKey } = options;
    const http = context.switchToHttp();
    const tracker = await getTracker(http.getRequest<Request>(), context);
    const { admission } = await this.storage.increment(
      generateKey(context, tracker, throttler.name ?? 'default'),
    );
    if (route.reachesModel) setRateLimitHeaders(http.getResponse<Response>(), admission);
    if (admission.refusal !== undefined) throw admission.refusal;
    return true;
  }

  protected override getTracker(request: Request): Promise<string> {
    const caller = callerOf(request);
    return Promise.resolve(caller === undefined ? addressKey(request.ip) : accountKey(caller));
  }

  protected override generateKey(context: ExecutionContext, tracker: string): string {
    return routeMetadataOf(context).reachesModel ? modelKey(tracker) : tracker;
  }
}

/** Returns true if the credentials were checked and rejected. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  const { status } = errorEntry(error.code);
  return status === 401 || status === 403;
}

/** Limits the documentation pages by address: no controller serves them. */
export function addressLimit(storage: RateLimitStorage, errorFormats: ErrorFormats) {
  return (request: Request, response: Response, next: NextFunction): void => {
    markRateLimited(request);
    storage.increment(addressKey(request.ip)).then(({ admission: { refusal } }) => {
      if (refusal === undefined) next();
      else sendError(response, refusal, errorFormats);
    }, next);
  };
}
