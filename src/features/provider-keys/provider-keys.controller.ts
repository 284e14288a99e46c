import { Body, Controller, Delete, Get, HttpCode, Param, Put } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../../common/actor.js';
import { ApiErrors, CurrentActor, UserId } from '../../http/index.js';
import {
  ProviderKeyBody,
  ProviderKeyListBody,
  ProviderParams,
  SetProviderKeyBody,
} from './provider-key.dto.js';
import { toProviderKeyBody, toProviderKeyListBody } from './provider-key.mapper.js';
import { ProviderKeyService } from './provider-key.service.js';

@ApiTags('provider-keys')
@Controller('api/v1/provider-keys')
export class ProviderKeysController {
  constructor(private readonly keys: ProviderKeyService) {}

  @Get()
  @ApiOperation({
    summary: 'List your provider keys',
    description: 'The keys themselves are never returned.',
  })
  @ApiOkResponse({
    type: ProviderKeyListBody,
    description: 'One entry for each provider for which you have stored a key.',
  })
  @ApiErrors('unauthorized')
  async list(@UserId() userId: string): Promise<ProviderKeyListBody> {
    return toProviderKeyListBody(await this.keys.listProviderKeys(userId));
  }

  @Get(':provider')
  @ApiOperation({ summary: 'Get your key for a provider', description: 'The key itself is never returned.' })
  @ApiOkResponse({ type: ProviderKeyBody, description: 'The end of the key and when it was stored.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { provider }: ProviderParams): Promise<ProviderKeyBody> {
    return toProviderKeyBody(await this.keys.getProviderKey(userId, provider));
  }

  @Put(':provider')
  @ApiOperation({
    summary: 'Store your own key for a provider',
    description:
      'From then on, your calls to the provider use this key instead of the server’s and do not count towards the server’s quotas. The provider must be configured on the server; otherwise the response is 404.',
  })
  @ApiOkResponse({ type: ProviderKeyBody, description: 'The key was stored, encrypted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found', 'payload_too_large', 'unsupported_media_type')
  async set(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Param() { provider }: ProviderParams,
    @Body() { key }: SetProviderKeyBody,
  ): Promise<ProviderKeyBody> {
    return toProviderKeyBody(await this.keys.set(actor, userId, provider, key));
  }

  @Delete(':provider')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete your key for a provider',
    description: 'Calls use the server’s key again.',
  })
  @ApiNoContentResponse({ description: 'The key was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Param() { provider }: ProviderParams,
  ): Promise<void> {
    return this.keys.delete(actor, userId, provider);
  }
}
