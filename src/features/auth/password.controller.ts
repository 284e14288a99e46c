import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../../common/actor.js';
import { ApiErrors, CurrentActor, UserId } from '../../http/index.js';
import { PasswordBody } from './auth.dto.js';
import { AuthService } from './auth.service.js';

@ApiTags('users')
@Controller('api/v1/users/me/password')
export class PasswordController {
  constructor(private readonly auth: AuthService) {}

  @Post()
  @HttpCode(204)
  @ApiOperation({
    summary: 'Change your password',
    description:
      'Ends all sessions, including this one: log in again with the new password. API keys stay valid.',
  })
  @ApiNoContentResponse({ description: 'The password was changed.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'invalid_credentials',
    'payload_too_large',
    'unsupported_media_type',
    'rate_limit_exceeded',
  )
  change(@UserId() userId: string, @CurrentActor() actor: Actor, @Body() body: PasswordBody): Promise<void> {
    const { current_password: current, new_password: next } = body;
    return this.auth.changePassword(actor, userId, { current, next });
  }
}
