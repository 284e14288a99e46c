import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { AccountCredential } from '../../common/caller.js';
import { AppError } from '../../common/errors.js';
import { accountKey, addressKey, RateLimitStorage } from '../../http/index.js';
import { readDashboardCookie } from './dashboard-cookie.js';
import { DashboardSessionService } from './dashboard-session.service.js';

/** Methods that change nothing. */
const READING: readonly string[] = ['GET', 'HEAD'];

/** Reports a request without a session of the dashboard. */
export class DashboardSessionError extends AppError {
  constructor() {
    super(
      'unauthorized',
      'The queue dashboard needs a session of an admin. Open /admin/queues in a browser to log in, or send POST /api/v1/admin/queues/session with an access token and use its cookie.',
    );
  }
}

/**
 * Admits requests with a session of the dashboard, to read only. Counts them against the rate limit of the account, and
 * refused ones against that of the address.
 */
@Injectable()
export class DashboardSessionGuard implements CanActivate {
  constructor(
    private readonly sessions: DashboardSessionService,
    private readonly rateLimits: RateLimitStorage,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    // Set before anything can fail: no cache serves the dashboard, or the login page in its place, to anyone later.
    http.getResponse<Response>().set({ 'Cache-Control': 'no-store', 'X-Robots-Tag': 'noindex' });
    const request = http.getRequest<Request>();
    const credential = await this.findCredential(request);
    const key = credential === undefined ? addressKey(request.ip) : accountKey(credential);
    const { admission } = await this.rateLimits.increment(key);
    if (admission.refusal !== undefined) throw admission.refusal;
    if (credential === undefined) throw new DashboardSessionError();
    if (READING.includes(request.method)) return true;
    throw new AppError('forbidden', 'The queue dashboard is read-only.');
  }

  private async findCredential(request: Request): Promise<AccountCredential | undefined> {
    const token = readDashboardCookie(request);
    return token === undefined ? undefined : this.sessions.findCredential(token);
  }
}
