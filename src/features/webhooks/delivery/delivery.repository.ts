import { Injectable } from '@nestjs/common';
import { minIdAt, newId } from '../../../common/ids.js';
import { Prisma } from '../../../generated/prisma/client.js';
import { deleteInBatches, PrismaService } from '../../../infra/database/index.js';
import { DELIVERY_LIFETIME_S } from '../model/retry-schedule.js';
import type { DeliveryError } from '../model/webhook.js';
import type { ClaimedDelivery } from './claimed-delivery.js';

/** Duration of a claim, in seconds: an attempt takes 10 seconds at most, so it needs no renewal. */
const LEASE_SECONDS = 30;

/** A failed attempt. */
export interface FailedAttempt {
  /** Null if there was no response. */
  readonly statusCode: number | null;
  readonly error: DeliveryError;
}

/** Claims deliveries and stores their results. Every write but the claim is fenced by its lease. */
@Injectable()
export class DeliveryRepository {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Claims deliveries that are due, at most one of each webhook, the most overdue first. Those of disabled accounts and
   * webhooks wait. Of several concurrent callers one gets a delivery: the others skip its locked row, or see `due_at` in
   * the future.
   */
  async claimDeliveries(claim: {
    readonly limit: number;
    /** Webhooks to which this process is sending. */
    readonly busyWebhooks: readonly string[];
  }): Promise<ClaimedDelivery[]> {
    const leaseId = newId();
    // Reads one entry of the index for each webhook, however many deliveries a slow one has.
    const claimed = await this.prisma.run(
      (client) => client.$queryRaw<Omit<ClaimedDelivery, 'leaseId'>[]>`
        WITH RECURSIVE receivers AS (
          (SELECT webhook_id FROM webhook_deliveries WHERE due_at IS NOT NULL ORDER BY webhook_id LIMIT 1)
          UNION ALL
          SELECT (
            SELECT next.webhook_id FROM webhook_deliveries AS next
            WHERE next.due_at IS NOT NULL AND next.webhook_id > receivers.webhook_id ORDER BY next.webhook_id LIMIT 1)
          FROM receivers WHERE receivers.webhook_id IS NOT NULL
        ), due AS (
          SELECT first.id FROM receivers
          JOIN webhooks ON webhooks.id = receivers.webhook_id AND webhooks.disabled_at IS NULL
          JOIN users ON users.id = webhooks.user_id AND users.disabled_at IS NULL
          CROSS JOIN LATERAL (
            SELECT id, due_at FROM webhook_deliveries
            WHERE webhook_id = receivers.webhook_id AND due_at <= now()
            ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS first
          WHERE receivers.webhook_id <> ALL(${[...claim.busyWebhooks]}::uuid[])
          ORDER BY first.due_at LIMIT ${claim.limit}::int
        )
        UPDATE webhook_deliveries AS delivery
        SET due_at = now() + make_interval(secs => ${LEASE_SECONDS}::int), lease_id = ${leaseId}::uuid,
          attempts = delivery.attempts + 1
        FROM due, webhooks
        WHERE delivery.id = due.id AND webhooks.id = delivery.webhook_id
        RETURNING delivery.id, delivery.user_id AS "userId", delivery.webhook_id AS "webhookId",
          delivery.event_id AS "eventId", webhooks.url, delivery.body, delivery.attempts, webhooks.ciphertext,
          CASE WHEN webhooks.previous_expires_at > now() THEN webhooks.previous_ciphertext END AS "previousCiphertext"`,
    );
    return claimed.map((delivery) => ({ ...delivery, leaseId }));
  }

  /** @returns false if the claim was no longer valid */
  completeDelivery(claimed: ClaimedDelivery, statusCode: number): Promise<boolean> {
    return this.endClaim(
      claimed,
      Prisma.sql`status = 'delivered', due_at = NULL, delivered_at = now(), last_status_code = ${statusCode}::int,
        last_error = NULL`,
    );
  }

  /**
   * Schedules the next attempt at a delivery.
   * @returns false if the claim was no longer valid
   */
  postponeDelivery(
    claimed: ClaimedDelivery,
    { statusCode, error }: FailedAttempt,
    waitSeconds: number,
  ): Promise<boolean> {
    return this.endClaim(
      claimed,
      Prisma.sql`due_at = now() + make_interval(secs => ${waitSeconds}::float8),
        last_status_code = ${statusCode}::int, last_error = ${error}`,
    );
  }

  /**
   * Ends a delivery that has failed.
   * @returns false if the claim was no longer valid
   */
  failDelivery(claimed: ClaimedDelivery, { statusCode, error }: FailedAttempt): Promise<boolean> {
    return this.endClaim(
      claimed,
      Prisma.sql`status = 'failed', due_at = NULL, last_status_code = ${statusCode}::int, last_error = ${error}`,
    );
  }

  /**
   * Releases a claim whose attempt has no result, which does not count.
   * @returns false if the claim was no longer valid
   */
  releaseClaim(claimed: ClaimedDelivery): Promise<boolean> {
    return this.endClaim(
      claimed,
      Prisma.sql`due_at = date_trunc('milliseconds', now()), attempts = attempts - 1`,
    );
  }

  /** Disables the webhook of a delivery. Its other deliveries are given up by the sweep. */
  async disableWebhook({ webhookId, userId }: ClaimedDelivery): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE webhooks SET disabled_at = COALESCE(disabled_at, now())
        WHERE id = ${webhookId}::uuid AND user_id = ${userId}::uuid`,
    );
  }

  /** Stores a secret with a new encryption, unless it was rotated in the meantime. */
  async replaceCiphertext(
    { webhookId, userId }: ClaimedDelivery,
    change: { readonly from: Uint8Array; readonly to: Uint8Array },
  ): Promise<void> {
    await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE webhooks SET
          ciphertext = CASE WHEN ciphertext = ${change.from} THEN ${change.to} ELSE ciphertext END,
          previous_ciphertext =
            CASE WHEN previous_ciphertext = ${change.from} THEN ${change.to} ELSE previous_ciphertext END
        WHERE id = ${webhookId}::uuid AND user_id = ${userId}::uuid`,
    );
  }

  /**
   * Gives up the deliveries that are due and too old, and those of disabled webhooks.
   * @returns the number of them
   */
  expireDeliveries(signal: AbortSignal): Promise<number> {
    return deleteInBatches(
      (limit) =>
        this.prisma.run(
          (client) => client.$executeRaw`
            UPDATE webhook_deliveries SET status = 'failed', due_at = NULL, lease_id = NULL, last_error = 'expired'
            WHERE id IN (
              SELECT delivery.id FROM webhook_deliveries AS delivery
              JOIN webhooks ON webhooks.id = delivery.webhook_id
              WHERE delivery.due_at <= now() AND (webhooks.disabled_at IS NOT NULL
                OR delivery.created_at < now() - make_interval(secs => ${DELIVERY_LIFETIME_S}::int))
              ORDER BY delivery.due_at LIMIT ${limit} FOR UPDATE OF delivery SKIP LOCKED)`,
        ),
      signal,
    );
  }

  /**
   * Deletes deliveries created before a time, in milliseconds since 1970, until the signal aborts.
   * @returns the number of deleted rows
   */
  deleteBefore(time: number, signal?: AbortSignal): Promise<number> {
    const before = minIdAt(time);
    return deleteInBatches(
      (limit) =>
        this.prisma.run(
          (client) => client.$executeRaw`
            DELETE FROM webhook_deliveries WHERE id IN (
              SELECT id FROM webhook_deliveries WHERE id < ${before}::uuid ORDER BY id LIMIT ${limit})`,
        ),
      signal,
    );
  }

  private async endClaim(claimed: ClaimedDelivery, columns: Prisma.Sql): Promise<boolean> {
    const { id, userId, leaseId } = claimed;
    const ended = await this.prisma.run(
      (client) => client.$executeRaw`
        UPDATE webhook_deliveries SET lease_id = NULL, ${columns}
        WHERE id = ${id}::uuid AND user_id = ${userId}::uuid AND lease_id = ${leaseId}::uuid`,
    );
    return ended === 1;
  }
}
