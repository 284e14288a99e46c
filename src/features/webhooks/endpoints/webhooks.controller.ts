import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { Actor } from '../../../common/actor.js';
import {
  ApiErrors,
  ApiPage,
  ApiRequestExamples,
  CurrentActor,
  IdParams,
  type Page,
  PageQuery,
  Scope,
  toPage,
  UserId,
} from '../../../http/index.js';
import { CreateWebhookBody, WebhookBody, WebhookDeliveryBody, WebhookWithSecretBody } from './webhook.dto.js';
import { toWebhookBody, toWebhookDeliveryBody, toWebhookWithSecretBody } from './webhook.mapper.js';
import { WebhookService } from './webhook.service.js';
import { WEBHOOK_EXAMPLES } from './webhook.openapi.js';

@Scope('batch')
@ApiTags('webhooks')
@Controller('api/v1/webhooks')
export class WebhooksController {
  constructor(private readonly webhooks: WebhookService) {}

  @Post()
  @ApiOperation({
    summary: 'Create a webhook',
    description:
      'Events are sent as POST requests with the headers of Standard Webhooks. The response contains the secret that verifies their signatures, which is never shown again. An account has at most 10 webhooks.',
  })
  @ApiRequestExamples(CreateWebhookBody, WEBHOOK_EXAMPLES)
  @ApiCreatedResponse({ type: WebhookWithSecretBody, description: 'The new webhook and its secret.' })
  @ApiErrors(
    'invalid_request',
    'unauthorized',
    'limit_reached',
    'payload_too_large',
    'unsupported_media_type',
  )
  async create(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Body() body: CreateWebhookBody,
  ): Promise<WebhookWithSecretBody> {
    return toWebhookWithSecretBody(await this.webhooks.createWebhook(actor, userId, body));
  }

  @Get()
  @ApiOperation({
    summary: 'List your webhooks, newest first',
    description: 'The secrets are never returned.',
  })
  @ApiPage(WebhookBody)
  @ApiErrors('invalid_request', 'unauthorized')
  async list(@UserId() userId: string, @Query() page: PageQuery): Promise<Page<WebhookBody>> {
    return toPage(await this.webhooks.listWebhooks(userId, page.slice()), page.limit, toWebhookBody);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a webhook', description: 'The secret is never returned.' })
  @ApiOkResponse({ type: WebhookBody, description: 'The webhook.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async get(@UserId() userId: string, @Param() { id }: IdParams): Promise<WebhookBody> {
    return toWebhookBody(await this.webhooks.getWebhook({ id, userId }));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a webhook',
    description: 'Nothing is sent to it from then on, not even events that are waiting for another attempt.',
  })
  @ApiNoContentResponse({ description: 'The webhook was deleted.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  delete(@UserId() userId: string, @CurrentActor() actor: Actor, @Param() { id }: IdParams): Promise<void> {
    return this.webhooks.deleteWebhook(actor, { id, userId });
  }

  @Post(':id/rotate')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Replace the secret of a webhook',
    description:
      'The response contains the new secret, which is never shown again. For 24 hours, deliveries have two signatures, with the new and with the present secret, so that receivers can change it without losing events.',
  })
  @ApiOkResponse({ type: WebhookWithSecretBody, description: 'The webhook and its new secret.' })
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async rotate(
    @UserId() userId: string,
    @CurrentActor() actor: Actor,
    @Param() { id }: IdParams,
  ): Promise<WebhookWithSecretBody> {
    return toWebhookWithSecretBody(await this.webhooks.rotateSecret(actor, { id, userId }));
  }

  @Get(':id/deliveries')
  @ApiOperation({
    summary: 'List the deliveries of a webhook, newest first',
    description: 'Deliveries are listed for 30 days.',
  })
  @ApiPage(WebhookDeliveryBody)
  @ApiErrors('invalid_request', 'unauthorized', 'not_found')
  async deliveries(
    @UserId() userId: string,
    @Param() { id }: IdParams,
    @Query() page: PageQuery,
  ): Promise<Page<WebhookDeliveryBody>> {
    const rows = await this.webhooks.listDeliveries({ id, userId }, page.slice());
    return toPage(rows, page.limit, toWebhookDeliveryBody);
  }
}
