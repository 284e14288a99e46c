import { toDeliveryError } from '../model/webhook.js';
import type { WebhookBody, WebhookDeliveryBody, WebhookWithSecretBody } from './webhook.dto.js';
import type { StoredDelivery, StoredWebhook } from './webhook.repository.js';
import type { WebhookWithSecret } from './webhook.service.js';

/** Converts a webhook to its API representation. */
export function toWebhookBody(webhook: StoredWebhook): WebhookBody {
  return shownWebhook(webhook);
}

/** Converts a webhook with a new secret to its API representation. */
export function toWebhookWithSecretBody({ webhook, secret }: WebhookWithSecret): WebhookWithSecretBody {
  return { ...shownWebhook(webhook), secret };
}

/** Converts a delivery to its API representation. */
export function toWebhookDeliveryBody(delivery: StoredDelivery): WebhookDeliveryBody {
  const { id, eventId, type, objectId, status, attempts, lastStatusCode, lastError } = delivery;
  return {
    id,
    event_id: eventId,
    type,
    object_id: objectId,
    status,
    attempts,
    status_code: lastStatusCode,
    error: toDeliveryError(lastError) ?? null,
    next_attempt_at: delivery.dueAt?.toISOString() ?? null,
    created_at: delivery.createdAt.toISOString(),
    delivered_at: delivery.deliveredAt?.toISOString() ?? null,
  };
}

function shownWebhook({ id, url, events, previousExpiresAt, disabledAt, createdAt }: StoredWebhook) {
  return {
    id,
    url,
    events,
    previous_secret_expires_at: previousExpiresAt?.toISOString() ?? null,
    disabled_at: disabledAt?.toISOString() ?? null,
    created_at: createdAt.toISOString(),
  };
}
