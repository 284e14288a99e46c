import { alphanumericDigest } from '../../../common/digest.js';

/** Types of events. The names are part of the API: their meaning does not change. */
export const WEBHOOK_EVENT_TYPES = [
  'batch.completed',
  'batch.failed',
  'batch.expired',
  'batch.cancelled',
] as const;

/** Type of an event. */
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

/** Number of characters of an event id after its prefix. */
const ID_LENGTH = 32;

/** An event of an account. */
export interface WebhookEvent {
  readonly userId: string;
  readonly type: WebhookEventType;
  /** Id of the object of the event, as the API shows it. */
  readonly objectId: string;
  /**
   * Number of the event among those of its type and object, for an object that may reach a state several times; 0 by
   * default.
   */
  readonly occurrence?: number | undefined;
}

/** Returns the id of an event. The same event always has the same id, so that it is sent once. */
export function webhookEventId({ userId, type, objectId, occurrence = 0 }: WebhookEvent): string {
  return `evt_${alphanumericDigest([userId, type, objectId, occurrence].join('\0'), ID_LENGTH)}`;
}

/**
 * Serializes an event in the format of OpenAI's webhooks.
 * @param createdAt time of the event, in milliseconds since 1970
 */
export function serializeWebhookEvent(event: WebhookEvent, createdAt: number): string {
  return JSON.stringify({
    id: webhookEventId(event),
    object: 'event',
    type: event.type,
    created_at: Math.floor(createdAt / 1000),
    data: { id: event.objectId },
  });
}
