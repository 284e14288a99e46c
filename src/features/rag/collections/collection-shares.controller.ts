import { Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, ApiPage, type Page, PageQuery, Scope, toPage, UserId } from '../../../http/index.js';
import { CollectionParams, CollectionShareBody, CollectionShareParams } from './collection.dto.js';
import { toCollectionShareBody } from './collection.mapper.js';
import { CollectionShareService } from './collection-share.service.js';

@Scope('rag')
@ApiTags('retrieval')
@Controller('api/v1/rag/collections/:collection/shares')
export class CollectionSharesController {
  constructor(private readonly shares: CollectionShareService) {}

  @Get()
  @ApiOperation({ summary: 'List the readers of a collection' })
  @ApiPage(CollectionShareBody)
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  async list(
    @UserId() userId: string,
    @Param() { collection }: CollectionParams,
    @Query() page: PageQuery,
  ): Promise<Page<CollectionShareBody>> {
    const shares = await this.shares.listShares(userId, collection, page.slice());
    return toPage(shares, page.limit, toCollectionShareBody);
  }

  @Put(':user_id')
  @ApiOperation({
    summary: 'Share a collection',
    description:
      'Lets another account list, search and query the collection, by its id. The account cannot change it or download its files.',
  })
  @ApiOkResponse({ type: CollectionShareBody, description: 'The permission of the reader.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  async share(
    @UserId() userId: string,
    @Param() { collection, user_id }: CollectionShareParams,
  ): Promise<CollectionShareBody> {
    return toCollectionShareBody(await this.shares.share(userId, collection, user_id));
  }

  @Delete(':user_id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a reader’s access', description: 'Works from the next request on.' })
  @ApiNoContentResponse({ description: 'The access was revoked.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  revoke(@UserId() userId: string, @Param() { collection, user_id }: CollectionShareParams): Promise<void> {
    return this.shares.revokeShare(userId, collection, user_id);
  }
}
