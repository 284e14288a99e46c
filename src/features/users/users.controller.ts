import { Body, Controller, Delete, Get, HttpCode, Patch } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../../common/actor.js';
import { ApiErrors, CurrentActor, UserId } from '../../http/index.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { UpdateMeBody, UserBody } from './user.dto.js';
import { toUserBody } from './user.mapper.js';
import { UserService } from './user.service.js';

@ApiTags('users')
@Controller('api/v1/users/me')
export class UsersController {
  constructor(
    private readonly users: UserService,
    private readonly deletions: AccountDeletionService,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Get your account' })
  @ApiOkResponse({ type: UserBody, description: 'The account.' })
  @ApiErrors('unauthorized')
  async me(@UserId() userId: string): Promise<UserBody> {
    return toUserBody(await this.users.getUser(userId));
  }

  @Patch()
  @ApiOperation({ summary: 'Change your email address', description: 'Requires your password.' })
  @ApiOkResponse({ type: UserBody, description: 'The updated account.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'invalid_credentials',
    'email_taken',
    'payload_too_large',
    'unsupported_media_type',
    'rate_limit_exceeded',
  )
  async update(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Body() body: UpdateMeBody,
  ): Promise<UserBody> {
    const { email, current_password: currentPassword } = body;
    return toUserBody(await this.users.changeEmail(actor, userId, { email, currentPassword }));
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete your account',
    description:
      'Deletes the account with everything that it owns and stops everything that runs for it. This cannot be undone. The data of a large account is removed in the background.',
  })
  @ApiNoContentResponse({ description: 'The account was deleted and is no longer visible to anyone.' })
  @ApiErrors('unauthorized', 'last_admin')
  delete(@UserId() userId: string, @CurrentActor() actor: Actor): Promise<void> {
    return this.deletions.delete(actor, userId);
  }
}
