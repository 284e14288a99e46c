import { Controller, Post, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { Actor } from '../../common/actor.js';
import type { AccountCredential } from '../../common/caller.js';
import { AdminOnly, ApiErrors, CurrentActor, CurrentCredential } from '../../http/index.js';
import { setDashboardCookie } from './dashboard-cookie.js';
import { DashboardSessionBody } from './dashboard-session.dto.js';
import { toDashboardSessionBody } from './dashboard-session.mapper.js';
import { DashboardSessionService } from './dashboard-session.service.js';

@AdminOnly()
@ApiTags('admin')
@Controller('api/v1/admin/queues/session')
export class DashboardSessionController {
  constructor(private readonly sessions: DashboardSessionService) {}

  @Post()
  @ApiOperation({
    summary: 'Open the queue dashboard',
    description:
      'Admins only. Sets a cookie that opens the read-only dashboard of the job queues at `/admin/queues` for ten minutes, because a browser sends no bearer token there. The cookie is `HttpOnly` and `SameSite=Strict`, `Secure` over HTTPS, and accepted nowhere else. It ends earlier with the login session or the API key that opened it, and if the account is disabled or is no longer an admin. In a browser, the login page at `/admin/queues` does all of this.',
  })
  @ApiCreatedResponse({
    type: DashboardSessionBody,
    description: 'The session is open.',
    headers: {
      'Set-Cookie': {
        description: 'Cookie of the session.',
        schema: {
          type: 'string',
          example:
            'parley_queues=eyJhbGciOiJIUzI1NiJ9.…; Max-Age=600; Path=/admin/queues; HttpOnly; SameSite=Strict',
        },
      },
    },
  })
  @ApiErrors('unauthorized', 'forbidden')
  async open(
    @CurrentActor() actor: Actor,
    @CurrentCredential() credential: AccountCredential,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DashboardSessionBody> {
    const session = await this.sessions.open(actor, credential);
    setDashboardCookie(response, session.token);
    return toDashboardSessionBody(session);
  }
}
