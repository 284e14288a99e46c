import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { newId } from '../../../common/ids.js';
import type { Transaction } from '../../../infra/database/index.js';
import { type WebhookEvent, serializeWebhookEvent, webhookEventId } from '../model/webhook-event.js';
import { MAX_WEBHOOKS } from '../model/webhook.js';
import { WebhookQueue } from './webhook.queue.js';

/** Sends events of accounts to their webhooks. */
@Injectable()
export class WebhookOutbox {
  constructor(
    private readonly queue: WebhookQueue,
    private readonly clock: Clock,
  ) {}

  /**
   * Stores an event for each webhook of the account that receives its type, in the transaction that makes the event true.
   * Repeating it is harmless: the unique index of webhook and event id keeps the first row. Call `announce` after the
   * commit.
   */
  async enqueueEvent(transaction: Transaction, event: WebhookEvent): Promise<void> {
    const { userId, type, objectId } = event;
    const ids = Array.from({ length: MAX_WEBHOOKS }, newId);
    // The lock of the webhooks skips those that are being deleted: their foreign key would fail the transaction.
    // The time is truncated, because the column rounds to milliseconds: rounded up, it would not be due at once.
    await transaction.$executeRaw`
      WITH subscribed AS (
        SELECT id FROM webhooks
        WHERE user_id = ${userId}::uuid AND ${type} = ANY(events) AND disabled_at IS NULL
        FOR KEY SHARE
      ), numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS number FROM subscribed)
      INSERT INTO webhook_deliveries (id, webhook_id, user_id, event_id, type, object_id, body, due_at)
      SELECT ids.id, numbered.id, ${userId}::uuid, ${webhookEventId(event)}, ${type}, ${objectId},
        ${serializeWebhookEvent(event, this.clock.now())}, date_trunc('milliseconds', now())
      FROM numbered JOIN unnest(${ids}::uuid[]) WITH ORDINALITY AS ids (id, number) USING (number)
      ON CONFLICT (webhook_id, event_id) DO NOTHING`;
  }

  /** Announces events that are committed. Returns immediately and never fails. */
  announce(): void {
    this.queue.announceDeliveries();
  }
}
