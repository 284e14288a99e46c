import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { ApiErrors, ApiPage, type Page, PageQuery, Scope, toPage, UserId } from '../../../http/index.js';
import {
  CollectionBody,
  CollectionParams,
  CreateCollectionBody,
  UpdateCollectionBody,
} from './collection.dto.js';
import { toCollectionBody, toRequestedChanges, toRequestedCollection } from './collection.mapper.js';
import { CollectionService } from './collection.service.js';

@Scope('rag')
@ApiTags('retrieval')
@Controller('api/v1/rag/collections')
export class CollectionsController {
  constructor(private readonly collections: CollectionService) {}

  @Post()
  @HttpCode(201)
  @ApiOperation({
    summary: 'Create a collection',
    description:
      'An account has at most 100 collections. The collection `default` is created by the first upload or question that uses it.',
  })
  @ApiCreatedResponse({ type: CollectionBody, description: 'The collection.' })
  @ApiErrors('invalid_request', 'unauthorized', 'name_taken', 'limit_reached', 'provider_unavailable')
  async create(@UserId() userId: string, @Body() body: CreateCollectionBody): Promise<CollectionBody> {
    return toCollectionBody(await this.collections.createCollection(userId, toRequestedCollection(body)));
  }

  @Get()
  @ApiOperation({
    summary: 'List collections, newest first',
    description: 'Lists your collections and those that are shared with you.',
  })
  @ApiPage(CollectionBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<CollectionBody>> {
    return toPage(await this.collections.listCollections(userId, page.slice()), page.limit, toCollectionBody);
  }

  @Get(':collection')
  @ApiOperation({ summary: 'Get a collection' })
  @ApiOkResponse({ type: CollectionBody, description: 'The collection.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { collection }: CollectionParams): Promise<CollectionBody> {
    return toCollectionBody(await this.collections.resolveForReading(userId, collection));
  }

  @Patch(':collection')
  @ApiOperation({
    summary: 'Change a collection',
    description:
      'Changes the name or the description at any time. The embedding model and the chunking can only be changed while the collection has no documents; afterwards use `POST /api/v1/rag/collections/{collection}/reindex`.',
  })
  @ApiOkResponse({ type: CollectionBody, description: 'The changed collection.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'forbidden',
    'not_found',
    'name_taken',
    'reindex_required',
    'provider_unavailable',
  )
  async update(
    @UserId() userId: string,
    @Param() { collection }: CollectionParams,
    @Body() body: UpdateCollectionBody,
  ): Promise<CollectionBody> {
    const changes = toRequestedChanges(body);
    return toCollectionBody(await this.collections.updateCollection(userId, collection, changes));
  }

  @Delete(':collection')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a collection',
    description:
      'Deletes the collection with its documents and the files that were uploaded into it. Files that you uploaded before and added by `file_id` stay.',
  })
  @ApiNoContentResponse({ description: 'The collection was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'forbidden', 'not_found')
  delete(@UserId() userId: string, @Param() { collection }: CollectionParams): Promise<void> {
    return this.collections.deleteCollection(userId, collection);
  }
}
