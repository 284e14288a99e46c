export { DeliveryRetention } from './delivery/delivery-retention.js';
export type { WebhookEvent, WebhookEventType } from './model/webhook-event.js';
export { WebhookOutbox } from './outbox/webhook-outbox.repository.js';
export { WebhookCoreModule } from './webhook-core.module.js';
export { WebhooksModule } from './webhooks.module.js';
export { WebhookWorkerModule } from './webhook-worker.module.js';
