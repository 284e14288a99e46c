import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, UserId } from '../../http/index.js';
import { UserBody } from './user.dto.js';
import { toUserBody } from './user.mapper.js';
import { UserService } from './user.service.js';

@ApiTags('users')
@Controller('api/v1/users')
export class UsersController {
  constructor(private readonly users: UserService) {}

  @Get('me')
  @ApiOperation({ summary: 'The account that makes the request' })
  @ApiOkResponse({ type: UserBody, description: 'The account.' })
  @ApiErrors('unauthorized')
  async me(@UserId() userId: string): Promise<UserBody> {
    return toUserBody(await this.users.get(userId));
  }
}
