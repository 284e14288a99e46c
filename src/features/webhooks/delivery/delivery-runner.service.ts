import { Injectable, Logger } from '@nestjs/common';
import { ActiveOperations } from '../../../common/active-operations.js';
import { Clock } from '../../../common/clock.js';
import { retryWhileUnavailable } from '../../../common/retry-while-unavailable.js';
import { UnreadableSecretError } from '../../../common/secret-cipher.js';
import { VERSION } from '../../../config/index.js';
import { Metrics } from '../../../infra/metrics/index.js';
import { MAX_DELIVERY_ATTEMPTS, waitAfterAttempt } from '../model/retry-schedule.js';
import { signWebhookMessage } from '../model/signature.js';
import { parseReceiverUrl } from '../network/receiver-url.js';
import { WebhookSecrets } from '../secrets/webhook-secrets.js';
import type { ClaimedDelivery } from './claimed-delivery.js';
import { DeliveryRepository, type FailedAttempt } from './delivery.repository.js';
import { ReceiverClient } from './receiver-client.js';

/**
 * Maximum number of deliveries that a process sends at once, one to each webhook. A receiver that hangs has one place for
 * 10 seconds, and then waits longer after each attempt.
 */
const PLACES = 100;

/** The result of an attempt. `released`: it was aborted, and does not count. */
type AttemptResult =
  | { readonly type: 'delivered'; readonly statusCode: number }
  | ({ readonly type: 'failed' } & FailedAttempt)
  | { readonly type: 'released' };

/** Sends deliveries. The result does not depend on which process sends one, or on how often it is notified. */
@Injectable()
export class DeliveryRunner {
  private readonly logger = new Logger(DeliveryRunner.name);
  private readonly closing = new AbortController();
  /** Deliveries that are being sent, by webhook. */
  private readonly running = new Map<string, Promise<void>>();
  private isRequested = false;
  private isClaiming = false;
  private claiming: Promise<void> = Promise.resolve();

  constructor(
    private readonly deliveries: DeliveryRepository,
    private readonly client: ReceiverClient,
    private readonly secrets: WebhookSecrets,
    private readonly operations: ActiveOperations,
    private readonly metrics: Metrics,
    private readonly clock: Clock,
  ) {}

  /** Aborts the running attempts and waits until their claims are released: other processes go on at once. */
  async stop(): Promise<void> {
    this.closing.abort();
    await this.claiming.catch(() => undefined);
    await Promise.all(this.running.values());
  }

  /** Starts to send the deliveries that are due, as far as there are places. Resolves once they are claimed. */
  startDueDeliveries(): Promise<void> {
    this.isRequested = true;
    if (!this.isClaiming) this.claiming = this.claimWhileRequested();
    return this.claiming;
  }

  /** Claims in turn: two claims at once would both count the same places as free. */
  private async claimWhileRequested(): Promise<void> {
    this.isClaiming = true;
    try {
      while (this.isRequested && !this.closing.signal.aborted) {
        this.isRequested = false;
        const limit = PLACES - this.running.size;
        // Each end of a delivery requests another claim.
        if (limit === 0) return;
        const busyWebhooks = [...this.running.keys()];
        const claimed = await this.deliveries.claimDeliveries({ limit, busyWebhooks });
        for (const delivery of claimed) this.start(delivery);
      }
    } finally {
      this.isClaiming = false;
    }
  }

  private start(delivery: ClaimedDelivery): void {
    const { webhookId } = delivery;
    const run = this.deliver(delivery)
      .catch((error: unknown) => {
        this.logger.warn(
          { err: error, delivery: delivery.id },
          'could not store the result of a webhook delivery; it will be sent again',
        );
      })
      .finally(() => {
        this.running.delete(webhookId);
        // Its webhook may have others that are due.
        this.startDueDeliveries().catch((error: unknown) => {
          this.logger.debug({ err: error }, 'could not claim webhook deliveries; the sweep will retry');
        });
      });
    this.running.set(webhookId, run);
  }

  private async deliver(delivery: ClaimedDelivery): Promise<void> {
    const stopped = new AbortController();
    // Deliveries stop when the account is disabled or deleted.
    const forget = this.operations.register({ userId: delivery.userId, apiKeyId: null }, () => {
      stopped.abort();
    });
    const begun = this.clock.monotonic();
    try {
      const result = await this.attemptDelivery(
        delivery,
        AbortSignal.any([stopped.signal, this.closing.signal]),
      );
      this.metrics.webhookDeliveryDuration.observe(
        { delivery_result: result.type === 'failed' ? result.error : result.type },
        (this.clock.monotonic() - begun) / 1_000,
      );
      await this.storeResult(delivery, result);
    } finally {
      forget();
    }
  }

  private async attemptDelivery(delivery: ClaimedDelivery, signal: AbortSignal): Promise<AttemptResult> {
    // Each process that made the last attempt died.
    if (delivery.attempts > MAX_DELIVERY_ATTEMPTS)
      return { type: 'failed', statusCode: null, error: 'interrupted' };
    const { url } = parseReceiverUrl(delivery.url);
    if (url === undefined) return { type: 'failed', statusCode: null, error: 'address_refused' };
    const secrets = this.readSecrets(delivery);
    if (secrets === undefined) return { type: 'failed', statusCode: null, error: 'secret_unreadable' };
    // The same bytes are signed and sent.
    const body = Buffer.from(delivery.body, 'utf8');
    const timestamp = Math.floor(this.clock.now() / 1_000);
    const headers = {
      'content-type': 'application/json',
      'user-agent': `Parley/${VERSION}`,
      ...signWebhookMessage({ id: delivery.eventId, timestamp, body }, secrets),
    };
    const response = await this.client.postMessage({ url, headers, body }, signal);
    if (response === undefined) return { type: 'released' };
    if (response.error !== undefined) return { type: 'failed', statusCode: null, error: response.error };
    return toAttemptResult(response.statusCode);
  }

  /** Returns the secrets that sign; undefined if they cannot be decrypted. */
  private readSecrets(delivery: ClaimedDelivery): readonly string[] | undefined {
    const { webhookId: id, userId, ciphertext, previousCiphertext } = delivery;
    const stored = previousCiphertext === null ? [ciphertext] : [ciphertext, previousCiphertext];
    try {
      return stored.map((from) => {
        const { secret, outdated } = this.secrets.decryptSecret(from, { id, userId });
        if (outdated) this.reencryptSecret(delivery, from, secret);
        return secret;
      });
    } catch (error) {
      if (!(error instanceof UnreadableSecretError)) throw error;
      this.logger.warn({ user: userId, webhook: id }, error.message);
      return undefined;
    }
  }

  /** Encrypts a secret with the current key. Not awaited: the next delivery retries. */
  private reencryptSecret(delivery: ClaimedDelivery, from: Uint8Array, secret: string): void {
    const { webhookId: id, userId } = delivery;
    const to = this.secrets.encryptSecret(secret, { id, userId });
    this.deliveries.replaceCiphertext(delivery, { from, to }).catch((error: unknown) => {
      this.logger.warn(
        { err: error },
        'could not re-encrypt the secret of a webhook; the next delivery will try again',
      );
    });
  }

  private async storeResult(delivery: ClaimedDelivery, result: AttemptResult): Promise<void> {
    const isOurs = await retryWhileUnavailable(() => this.writeResult(delivery, result));
    const { id, webhookId, attempts } = delivery;
    const fields = { delivery: id, webhook: webhookId, attempts, result };
    if (isOurs) this.logger.debug(fields, 'an attempt at a webhook delivery has ended');
    else this.logger.log(fields, 'a webhook delivery was deleted, or another process has it');
  }

  /** @returns false if the claim was no longer valid */
  private async writeResult(delivery: ClaimedDelivery, result: AttemptResult): Promise<boolean> {
    if (result.type === 'delivered') return this.deliveries.completeDelivery(delivery, result.statusCode);
    if (result.type === 'released') return this.deliveries.releaseClaim(delivery);
    if (result.error === 'gone') {
      await this.deliveries.disableWebhook(delivery);
      this.logger.log({ webhook: delivery.webhookId }, 'the receiver of a webhook is gone; disabled it');
      return this.deliveries.failDelivery(delivery, result);
    }
    const waitSeconds = waitAfterAttempt(delivery.attempts, Math.random());
    return waitSeconds === undefined
      ? this.deliveries.failDelivery(delivery, result)
      : this.deliveries.postponeDelivery(delivery, result, waitSeconds);
  }
}

function toAttemptResult(statusCode: number): AttemptResult {
  if (statusCode >= 200 && statusCode < 300) return { type: 'delivered', statusCode };
  if (statusCode === 410) return { type: 'failed', statusCode, error: 'gone' };
  const isRedirect = statusCode >= 300 && statusCode < 400;
  return { type: 'failed', statusCode, error: isRedirect ? 'redirected' : 'rejected' };
}
