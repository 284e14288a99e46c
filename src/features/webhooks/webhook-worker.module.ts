import { Module } from '@nestjs/common';
import { DeliveryRetention } from './delivery/delivery-retention.js';
import { DeliveryRunner } from './delivery/delivery-runner.service.js';
import { DeliveryProcessor } from './delivery/delivery.processor.js';
import { DeliveryRepository } from './delivery/delivery.repository.js';
import { ReceiverClient } from './delivery/receiver-client.js';
import { WebhookCoreModule } from './webhook-core.module.js';

/** The jobs of webhooks, for the process that runs jobs. */
@Module({
  imports: [WebhookCoreModule],
  providers: [DeliveryProcessor, DeliveryRepository, DeliveryRetention, DeliveryRunner, ReceiverClient],
  exports: [DeliveryRetention],
})
export class WebhookWorkerModule {}
