import { Injectable } from '@nestjs/common';
import { AppError } from '../../../common/errors.js';
import { deleteInBatches, PrismaService } from '../../../infra/database/index.js';
import { type DeliveryStatus, MAX_WEBHOOKS } from '../model/webhook.js';
import type { WebhookRef } from '../secrets/webhook-secrets.js';
import { TooManyWebhooksError } from './webhook.errors.js';

/** A stored webhook, without its secrets. */
export interface StoredWebhook {
  readonly id: string;
  readonly url: string;
  readonly events: string[];
  /** Time until which the secret before the last rotation signs too. */
  readonly previousExpiresAt: Date | null;
  readonly disabledAt: Date | null;
  readonly createdAt: Date;
}

/** A webhook to be created. */
export interface NewWebhook extends WebhookRef {
  readonly url: string;
  readonly events: readonly string[];
  readonly ciphertext: Bytes;
}

/** A delivery as its owner sees it. */
export interface StoredDelivery {
  readonly id: string;
  readonly eventId: string;
  readonly type: string;
  readonly objectId: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly dueAt: Date | null;
  readonly lastStatusCode: number | null;
  readonly lastError: string | null;
  readonly createdAt: Date;
  readonly deliveredAt: Date | null;
}

/** A part of a list. */
export interface WebhookSlice {
  readonly limit: number;
  readonly after: string | undefined;
}

type Bytes = Uint8Array<ArrayBuffer>;

const SHOWN = {
  id: true,
  url: true,
  events: true,
  previousExpiresAt: true,
  disabledAt: true,
  createdAt: true,
} as const;

const SHOWN_DELIVERY = {
  id: true,
  eventId: true,
  type: true,
  objectId: true,
  status: true,
  attempts: true,
  dueAt: true,
  lastStatusCode: true,
  lastError: true,
  createdAt: true,
  deliveredAt: true,
} as const;

/** Stores webhooks. Every method filters by owner. */
@Injectable()
export class WebhookRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Inserts a webhook.
   * @throws AppError `unauthorized` if the account has been disabled meanwhile
   * @throws TooManyWebhooksError
   */
  insertWebhook({ events, ...webhook }: NewWebhook): Promise<StoredWebhook> {
    const { userId } = webhook;
    return this.prisma.transaction(async (transaction) => {
      // Concurrent requests wait for this lock, so that each counts the webhooks of those before it.
      const [account] = await transaction.$queryRaw<unknown[]>`
        SELECT 1 FROM users WHERE id = ${userId}::uuid AND disabled_at IS NULL FOR NO KEY UPDATE`;
      if (account === undefined) throw new AppError('unauthorized', 'The account was disabled.');
      if ((await transaction.webhook.count({ where: { userId } })) >= MAX_WEBHOOKS)
        throw new TooManyWebhooksError();
      return transaction.webhook.create({ data: { ...webhook, events: [...events] }, select: SHOWN });
    });
  }

  /** Lists webhooks, newest first. */
  listWebhooks(userId: string, { limit, after }: WebhookSlice): Promise<StoredWebhook[]> {
    return this.prisma.run((client) =>
      client.webhook.findMany({
        where: { userId, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: SHOWN,
      }),
    );
  }

  findWebhook({ id, userId }: WebhookRef): Promise<StoredWebhook | null> {
    return this.prisma.run((client) => client.webhook.findUnique({ where: { id, userId }, select: SHOWN }));
  }

  /**
   * Replaces the secret of a webhook. The present one signs too until it expires, and the one before it no longer.
   * @returns undefined if the account has no such webhook
   */
  async rotateSecret(
    { id, userId }: WebhookRef,
    { ciphertext, previousExpiresAt }: { readonly ciphertext: Bytes; readonly previousExpiresAt: Date },
  ): Promise<StoredWebhook | undefined> {
    // Of concurrent rotations, each sees the secret of the one before it: the update waits for its row.
    const [rotated] = await this.prisma.run(
      (client) => client.$queryRaw<StoredWebhook[]>`
        UPDATE webhooks
        SET previous_ciphertext = ciphertext, previous_expires_at = ${previousExpiresAt}::timestamptz,
          ciphertext = ${ciphertext}
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid
        RETURNING id, url, events, previous_expires_at AS "previousExpiresAt", disabled_at AS "disabledAt",
          created_at AS "createdAt"`,
    );
    return rotated;
  }

  /**
   * Deletes a webhook with its deliveries, in batches. If that is interrupted, the webhook is disabled and can be deleted
   * again.
   * @returns whether the account had it
   */
  async deleteWebhook({ id, userId }: WebhookRef): Promise<boolean> {
    // From now on it gets no more deliveries.
    const { count } = await this.prisma.run((client) =>
      client.webhook.updateMany({ where: { id, userId }, data: { disabledAt: new Date() } }),
    );
    if (count === 0) return false;
    await deleteInBatches((limit) =>
      this.prisma.run(
        (client) => client.$executeRaw`
          DELETE FROM webhook_deliveries WHERE id IN (
            SELECT id FROM webhook_deliveries
            WHERE webhook_id = ${id}::uuid AND user_id = ${userId}::uuid ORDER BY id LIMIT ${limit})`,
      ),
    );
    // Of concurrent deletions, one deletes the row.
    const deleted = await this.prisma.run((client) => client.webhook.deleteMany({ where: { id, userId } }));
    return deleted.count === 1;
  }

  /** Lists the deliveries of a webhook, newest first. */
  listDeliveries(
    { id: webhookId, userId }: WebhookRef,
    { limit, after }: WebhookSlice,
  ): Promise<StoredDelivery[]> {
    return this.prisma.run((client) =>
      client.webhookDelivery.findMany({
        where: { webhookId, userId, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        take: limit,
        select: SHOWN_DELIVERY,
      }),
    );
  }
}
