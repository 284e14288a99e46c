import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../../common/actor.js';
import {
  ApiErrors,
  ApiPage,
  CurrentActor,
  IdParams,
  type Page,
  PageQuery,
  toPage,
  UserId,
} from '../../http/index.js';
import { ApiKeyBody, CreateApiKeyBody, NewApiKeyBody } from './api-key.dto.js';
import { toApiKeyBody, toNewApiKey, toNewApiKeyBody } from './api-key.mapper.js';
import { ApiKeyService } from './api-key.service.js';

@ApiTags('api-keys')
@Controller('api/v1/api-keys')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeyService) {}

  @Post()
  @ApiOperation({
    summary: 'Create an API key',
    description:
      'The response contains the key, which is never shown again; only its SHA-256 hash is stored.',
  })
  @ApiCreatedResponse({ type: NewApiKeyBody, description: 'The new key.' })
  @ApiErrors('invalid_request', 'unauthorized', 'payload_too_large', 'unsupported_media_type')
  async create(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Body() body: CreateApiKeyBody,
  ): Promise<NewApiKeyBody> {
    return toNewApiKeyBody(await this.keys.create(actor, userId, toNewApiKey(body)));
  }

  @Get()
  @ApiOperation({ summary: 'List your API keys, newest first', description: 'Revoked keys are not listed.' })
  @ApiPage(ApiKeyBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<ApiKeyBody>> {
    return toPage(await this.keys.listApiKeys(userId, page.slice()), page.limit, toApiKeyBody);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Revoke an API key',
    description:
      'Takes effect immediately: requests with the key are rejected, and everything that runs with it is stopped.',
  })
  @ApiNoContentResponse({ description: 'The key was revoked.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  revoke(@UserId() userId: string, @CurrentActor() actor: Actor, @Param() { id }: IdParams): Promise<void> {
    return this.keys.revoke(actor, userId, id);
  }
}
