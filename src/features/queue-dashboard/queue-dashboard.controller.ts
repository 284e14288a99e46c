import {
  All,
  Controller,
  Get,
  Header,
  Next,
  Req,
  Res,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { SkipThrottle } from '@nestjs/throttler';
import type { NextFunction, Request, Response } from 'express';
import { NoStoreInterceptor, Public } from '../../http/index.js';
import { DashboardSessionGuard } from './dashboard-session.guard.js';
import { LOGIN_SCRIPT } from './login-page.js';
import { LoginPageFilter } from './login-page.filter.js';
import { QueueDashboard } from './queue-dashboard.js';

/** Serves the dashboard of the queues, and the script of its login page. */
@Public()
@ApiExcludeController()
@Controller('admin/queues')
export class QueueDashboardController {
  constructor(private readonly dashboard: QueueDashboard) {}

  @Get('login.js')
  @UseInterceptors(NoStoreInterceptor)
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  script(): string {
    return LOGIN_SCRIPT;
  }

  /** Every path and method below the dashboard, so that nothing of it escapes the guard. The guard counts the requests. */
  @All(['', '*path'])
  @SkipThrottle()
  @UseGuards(DashboardSessionGuard)
  @UseFilters(LoginPageFilter)
  serve(@Req() request: Request, @Res() response: Response, @Next() next: NextFunction): Promise<void> {
    return this.dashboard.serve(request, response, next);
  }
}
