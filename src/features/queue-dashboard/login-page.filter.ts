import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { ErrorFilter } from '../../http/index.js';
import { DashboardSessionError } from './dashboard-session.guard.js';
import { LOGIN_PAGE } from './login-page.js';

/** Answers a browser that opens the dashboard without a session with the login page, and all others with the error. */
@Catch(DashboardSessionError)
export class LoginPageFilter implements ExceptionFilter {
  constructor(private readonly errors: ErrorFilter) {}

  async catch(error: DashboardSessionError, host: ArgumentsHost): Promise<void> {
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    if (opensPage(http.getRequest<Request>())) response.status(401).type('html').send(LOGIN_PAGE);
    else await this.errors.catch(error, host);
  }
}

/** Returns true if a browser navigates to a page. Its scripts and the files of a page accept anything. */
function opensPage({ method, headers }: Request): boolean {
  return method === 'GET' && /(?:^|[,\s])text\/html\b/i.test(headers.accept ?? '');
}
