import { Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  ApiErrors,
  ApiPage,
  IdParams,
  type Page,
  PageQuery,
  Scope,
  toPage,
  UserId,
} from '../../../http/index.js';
import { NewShareBody, ShareBody, ShareParams } from './share.dto.js';
import { toNewShareBody, toShareBody } from './share.mapper.js';
import { ShareService } from './share.service.js';

@Scope('chat')
@ApiTags('shares')
@Controller('api/v1/conversations/:id')
export class SharesController {
  constructor(private readonly shares: ShareService) {}

  @Post('share')
  @HttpCode(201)
  @ApiOperation({
    summary: 'Share a conversation',
    description:
      'Shares the conversation in its current state: later turns, branches and titles are not shown. Anyone with the token can read it. The token is shown only once.',
  })
  @ApiCreatedResponse({ type: NewShareBody, description: 'The share, with its token.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'conversation_busy')
  async create(@UserId() userId: string, @Param() { id }: IdParams): Promise<NewShareBody> {
    return toNewShareBody(await this.shares.createShare(userId, id));
  }

  @Get('shares')
  @ApiOperation({
    summary: 'List the shares of a conversation, newest first',
    description: 'Revoked shares are not listed.',
  })
  @ApiPage(ShareBody)
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async list(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Query() page: PageQuery,
  ): Promise<Page<ShareBody>> {
    return toPage(await this.shares.listShares(userId, id, page.slice()), page.limit, toShareBody);
  }

  @Delete('shares/:share_id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a share', description: 'The link stops working.' })
  @ApiNoContentResponse({ description: 'The share was revoked.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  revoke(@UserId() userId: string, @Param() { id, share_id }: ShareParams): Promise<void> {
    return this.shares.revoke(userId, id, share_id);
  }
}
