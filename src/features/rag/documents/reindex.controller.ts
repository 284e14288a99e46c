import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors, Scope, UserId } from '../../../http/index.js';
import { CollectionBody, CollectionParams, IndexSettingsBody } from '../collections/collection.dto.js';
import { toCollectionBody, toRequestedSettings } from '../collections/collection.mapper.js';
import { CollectionReindexer } from './collection-reindexer.js';

@Scope('rag')
@ApiTags('retrieval')
@Controller('api/v1/rag/collections/:collection')
export class ReindexController {
  constructor(private readonly reindexer: CollectionReindexer) {}

  @Post('reindex')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Reindex a collection',
    description:
      'Builds a new index of all documents beside the present one, with another embedding model or chunking if the body has them. Searches use the present index until the new one is complete. The latest request wins: an index that is still being built is given up.',
  })
  @ApiAcceptedResponse({
    type: CollectionBody,
    description: 'The collection, with the state of the new index.',
  })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'provider_unavailable')
  async reindex(
    @UserId() userId: string,
    @Param() { collection }: CollectionParams,
    @Body() body: IndexSettingsBody,
  ): Promise<CollectionBody> {
    const settings = toRequestedSettings(body);
    return toCollectionBody(await this.reindexer.reindexCollection(userId, collection, settings));
  }
}
