import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { registerQueue } from '../../infra/queue/index.js';
import { AddressResolver } from './network/address-resolver.js';
import { ReceiverAddresses } from './network/receiver-addresses.js';
import { WEBHOOK_DELIVERIES_QUEUE, WebhookQueue } from './outbox/webhook.queue.js';
import { WebhookOutbox } from './outbox/webhook-outbox.repository.js';
import { WebhookSecrets } from './secrets/webhook-secrets.js';

/** Providers that the API and the worker share. Features that send events import it for its `WebhookOutbox`. */
@Module({
  imports: [registerQueue(WEBHOOK_DELIVERIES_QUEUE)],
  providers: [
    { provide: AddressResolver, useFactory: () => new AddressResolver() },
    ReceiverAddresses,
    WebhookOutbox,
    WebhookQueue,
    WebhookSecrets,
  ],
  exports: [BullModule, ReceiverAddresses, WebhookOutbox, WebhookSecrets],
})
export class WebhookCoreModule {}
