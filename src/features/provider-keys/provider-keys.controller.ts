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
  @ApiOperation({ summary: 'Your own keys of model providers', description: 'Never the keys themselves.' })
  @ApiOkResponse({ type: ProviderKeyListBody, description: 'One for each provider that you have a key of.' })
  @ApiErrors('unauthorized')
  async list(@UserId() userId: string): Promise<ProviderKeyListBody> {
    return toProviderKeyListBody(await this.keys.list(userId));
  }

  @Get(':provider')
  @ApiOperation({ summary: 'Your own key of a provider', description: 'Never the key itself.' })
  @ApiOkResponse({ type: ProviderKeyBody, description: 'How it ends, and since when it is stored.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { provider }: ProviderParams): Promise<ProviderKeyBody> {
    return toProviderKeyBody(await this.keys.get(userId, provider));
  }

  @Put(':provider')
  @ApiOperation({
    summary: 'Use your own key of a provider',
    description:
      'From then on your calls of the provider are made with it instead of the server’s, and count towards none of the server’s quotas. The server must have the provider; 404 where it has not.',
  })
  @ApiOkResponse({ type: ProviderKeyBody, description: 'It is stored, encrypted.' })
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
    summary: 'Delete your own key of a provider',
    description: 'Calls use the server’s again.',
  })
  @ApiNoContentResponse({ description: 'It is gone.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Param() { provider }: ProviderParams,
  ): Promise<void> {
    return this.keys.delete(actor, userId, provider);
  }
}
