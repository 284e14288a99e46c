import { Controller, Get, Param, Query, UseInterceptors } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  ApiErrors,
  ApiPage,
  type Page,
  PageQuery,
  Public,
  toPage,
  NoStoreInterceptor,
} from '../../../http/index.js';
import { SharedBody, SharedMessageBody, TokenParams } from './share.dto.js';
import { toSharedBody, toSharedMessageBody } from './share.mapper.js';
import { ShareService } from './share.service.js';

@Public()
@UseInterceptors(NoStoreInterceptor)
@ApiTags('shares')
@Controller('api/v1/shared/:token')
export class PublicSharesController {
  constructor(private readonly shares: ShareService) {}

  @Get()
  @ApiOperation({ summary: 'Get a shared conversation', description: 'Available to anyone with the link.' })
  @ApiOkResponse({ type: SharedBody, description: 'The shared conversation.' })
  @ApiErrors('invalid_request', 'not_found')
  async get(@Param() { token }: TokenParams): Promise<SharedBody> {
    return toSharedBody(await this.shares.openShare(token));
  }

  @Get('messages')
  @ApiOperation({
    summary: 'List the messages of a shared conversation, oldest first',
    description: 'Available to anyone with the link.',
  })
  @ApiPage(SharedMessageBody)
  @ApiErrors('invalid_request', 'not_found')
  async messages(
    @Param() { token }: TokenParams,
    @Query() page: PageQuery,
  ): Promise<Page<SharedMessageBody>> {
    return toPage(await this.shares.messages(token, page.slice()), page.limit, toSharedMessageBody);
  }
}
