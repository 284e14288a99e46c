import { Module } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { JwtModule } from '@nestjs/jwt';
import { accessTokensConfig } from '../../config/index.js';
import { ErrorFilter, RateLimitModule } from '../../http/index.js';
import { AuditModule } from '../audit/index.js';
import { AccessWatchModule, TOKEN_ISSUER } from '../auth/index.js';
import { DashboardSessionController } from './dashboard-session.controller.js';
import { DashboardSessionGuard } from './dashboard-session.guard.js';
import {
  DASHBOARD_AUDIENCE,
  DASHBOARD_SESSION_SECONDS,
  DashboardSessionService,
} from './dashboard-session.service.js';
import { LoginPageFilter } from './login-page.filter.js';
import { QueueDashboardController } from './queue-dashboard.controller.js';
import { QueueDashboard } from './queue-dashboard.js';

/** The dashboard of the job queues, for admins. */
@Module({
  imports: [
    AccessWatchModule,
    AuditModule,
    RateLimitModule,
    JwtModule.registerAsync({
      inject: [accessTokensConfig.KEY],
      useFactory: ({ jwtSecret }: ConfigType<typeof accessTokensConfig>) => ({
        secret: jwtSecret,
        signOptions: {
          algorithm: 'HS256',
          expiresIn: DASHBOARD_SESSION_SECONDS,
          issuer: TOKEN_ISSUER,
          audience: DASHBOARD_AUDIENCE,
        },
        // Pinned, otherwise a token could choose how it is verified.
        verifyOptions: { algorithms: ['HS256'], issuer: TOKEN_ISSUER, audience: DASHBOARD_AUDIENCE },
      }),
    }),
  ],
  controllers: [DashboardSessionController, QueueDashboardController],
  providers: [DashboardSessionService, DashboardSessionGuard, LoginPageFilter, ErrorFilter, QueueDashboard],
})
export class QueueDashboardModule {}
