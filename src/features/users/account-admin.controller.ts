import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../../common/actor.js';
import {
  AdminOnly,
  ApiErrors,
  ApiPage,
  CurrentActor,
  IdParams,
  type Page,
  toPage,
} from '../../http/index.js';
import { AccountAdminService } from './account-admin.service.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { UpdateUserBody, UserBody, UsersQuery } from './user.dto.js';
import { toUserBody, toUserChanges } from './user.mapper.js';
import { UserService } from './user.service.js';

@AdminOnly()
@ApiTags('users')
@Controller('api/v1/users')
export class AccountAdminController {
  constructor(
    private readonly users: UserService,
    private readonly accounts: AccountAdminService,
    private readonly deletions: AccountDeletionService,
  ) {}

  @Get()
  @ApiOperation({ summary: 'List all accounts, newest first', description: 'Admins only.' })
  @ApiPage(UserBody)
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden')
  async list(@Query() query: UsersQuery): Promise<Page<UserBody>> {
    return toPage(await this.accounts.listUsers(query.q, query.slice()), query.limit, toUserBody);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get an account', description: 'Admins only.' })
  @ApiOkResponse({ type: UserBody, description: 'The account.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  async get(@Param() { id }: IdParams): Promise<UserBody> {
    return toUserBody(await this.users.getUser(id));
  }

  @Patch(':id')
  @ApiOperation({
    summary: 'Update an account’s role and quotas, or disable or enable it',
    description: 'Admins only. The last admin can be neither demoted nor disabled.',
  })
  @ApiOkResponse({ type: UserBody, description: 'The updated account.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'forbidden',
    'not_found',
    'last_admin',
    'payload_too_large',
    'unsupported_media_type',
  )
  async update(
    @CurrentActor() actor: Actor,
    @Param() { id }: IdParams,
    @Body() body: UpdateUserBody,
  ): Promise<UserBody> {
    return toUserBody(await this.accounts.update(actor, id, toUserChanges(body)));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete an account',
    description:
      'Admins only. Deletes the account with everything that it owns and stops everything that runs for it. The data of a large account is removed in the background.',
  })
  @ApiNoContentResponse({ description: 'The account was deleted and is no longer visible to anyone.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'last_admin')
  delete(@CurrentActor() actor: Actor, @Param() { id }: IdParams): Promise<void> {
    return this.deletions.delete(actor, id);
  }
}
