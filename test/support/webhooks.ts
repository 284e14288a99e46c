import type { WebhookEvent } from '../../src/features/webhooks/index.js';
import { WebhookOutbox } from '../../src/features/webhooks/index.js';
import { PrismaService } from '../../src/infra/database/index.js';
import type { TestApi } from './api.js';
import { at, type TestUser } from './client.js';
import { serviceOf } from './retrieval.js';
import { query, type Row, until } from './stored.js';

export const WEBHOOKS = '/api/v1/webhooks';

/** A webhook and its secret. */
export interface TestWebhook {
  readonly id: string;
  readonly secret: string;
}

/** Creates a webhook through the API. */
export async function makeWebhook(
  user: TestUser,
  url: string,
  events: readonly string[] = ['batch.completed'],
): Promise<TestWebhook> {
  const { status, body } = await user.request('POST', WEBHOOKS, { url, events });
  if (status !== 201) throw new Error(`The webhook was not created: ${status} ${JSON.stringify(body)}`);
  return { id: String(at(body, 'id')), secret: String(at(body, 'secret')) };
}

/** Commits an event as a feature does, without announcing it. */
export async function commitEvent(api: TestApi, event: WebhookEvent): Promise<void> {
  const outbox = serviceOf(api, WebhookOutbox);
  await serviceOf(api, PrismaService).transaction((transaction) => outbox.enqueueEvent(transaction, event));
}

/** Commits an event as a feature does, and announces it. */
export async function sendEvent(api: TestApi, event: WebhookEvent): Promise<void> {
  await commitEvent(api, event);
  serviceOf(api, WebhookOutbox).announce();
}

/** Returns the deliveries of a webhook, oldest first. */
export function deliveriesOf({ database }: Pick<TestApi, 'database'>, webhookId: string): Promise<Row[]> {
  return query(database, 'SELECT * FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY id', [webhookId]);
}

/** Waits until the only delivery of a webhook has these values, and returns it. */
export function untilDelivery(
  api: Pick<TestApi, 'database'>,
  webhookId: string,
  values: Readonly<Record<string, unknown>>,
): Promise<Row> {
  return until(`a delivery to have ${JSON.stringify(values)}`, async () => {
    const [delivery] = await deliveriesOf(api, webhookId);
    const matches = Object.entries(values).every(([name, value]) => delivery?.[name] === value);
    return delivery !== undefined && matches && delivery;
  });
}

/** Makes the next attempts at the deliveries of a webhook due now. */
export async function makeDeliveriesDue(api: TestApi, webhookId: string): Promise<void> {
  await query(
    api.database,
    `UPDATE webhook_deliveries SET due_at = now() - interval '1 second'
     WHERE webhook_id = $1 AND due_at IS NOT NULL AND lease_id IS NULL`,
    [webhookId],
  );
  serviceOf(api, WebhookOutbox).announce();
}
