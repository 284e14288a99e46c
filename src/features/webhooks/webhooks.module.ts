import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/index.js';
import { WebhookRepository } from './endpoints/webhook.repository.js';
import { WebhookService } from './endpoints/webhook.service.js';
import { WebhooksController } from './endpoints/webhooks.controller.js';
import { WebhookCoreModule } from './webhook-core.module.js';

/** Webhooks, for the API. */
@Module({
  imports: [AuditModule, WebhookCoreModule],
  controllers: [WebhooksController],
  providers: [WebhookRepository, WebhookService],
})
export class WebhooksModule {}
