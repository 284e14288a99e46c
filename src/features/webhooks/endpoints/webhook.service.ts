import { Injectable } from '@nestjs/common';
import type { Actor } from '../../../common/actor.js';
import { Clock } from '../../../common/clock.js';
import { InvalidRequestError, NotFoundError } from '../../../common/errors.js';
import { newId } from '../../../common/ids.js';
import { AuditService } from '../../audit/index.js';
import { newWebhookSecret } from '../model/signature.js';
import { PREVIOUS_SECRET_MS } from '../model/webhook.js';
import { ReceiverAddresses } from '../network/receiver-addresses.js';
import { parseReceiverUrl } from '../network/receiver-url.js';
import { type WebhookRef, WebhookSecrets } from '../secrets/webhook-secrets.js';
import {
  type StoredDelivery,
  type StoredWebhook,
  WebhookRepository,
  type WebhookSlice,
} from './webhook.repository.js';

/** Maximum wait for the addresses of a host at the creation of a webhook, in milliseconds. */
const RESOLVE_TIMEOUT_MS = 3_000;

/** A webhook that a request asks for. */
export interface RequestedWebhook {
  readonly url: string;
  readonly events: readonly string[];
}

/** A webhook with a new secret, which can be read only this once. */
export interface WebhookWithSecret {
  readonly webhook: StoredWebhook;
  readonly secret: string;
}

/** Manages the webhooks of accounts. */
@Injectable()
export class WebhookService {
  constructor(
    private readonly webhooks: WebhookRepository,
    private readonly secrets: WebhookSecrets,
    private readonly addresses: ReceiverAddresses,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /**
   * Creates a webhook.
   * @throws InvalidRequestError if nothing would be sent to the URL
   * @throws TooManyWebhooksError
   */
  async createWebhook(actor: Actor, userId: string, wanted: RequestedWebhook): Promise<WebhookWithSecret> {
    const url = await this.checkUrl(wanted.url);
    const ref = { id: newId(), userId };
    const events = [...new Set(wanted.events)];
    const secret = newWebhookSecret();
    const ciphertext = this.secrets.encryptSecret(secret, ref);
    const webhook = await this.webhooks.insertWebhook({ ...ref, url, events, ciphertext });
    await this.audit.record('webhook.created', { actor, userId, subject: ref.id, detail: { events } });
    return { webhook, secret };
  }

  /** Lists webhooks, newest first. */
  listWebhooks(userId: string, slice: WebhookSlice): Promise<StoredWebhook[]> {
    return this.webhooks.listWebhooks(userId, slice);
  }

  /** @throws NotFoundError */
  async getWebhook(ref: WebhookRef): Promise<StoredWebhook> {
    const webhook = await this.webhooks.findWebhook(ref);
    if (webhook === null) throw new NotFoundError('webhook', ref.id);
    return webhook;
  }

  /**
   * Gives a webhook a new secret. The present one signs deliveries too for a day.
   * @throws NotFoundError
   */
  async rotateSecret(actor: Actor, ref: WebhookRef): Promise<WebhookWithSecret> {
    const secret = newWebhookSecret();
    const webhook = await this.webhooks.rotateSecret(ref, {
      ciphertext: this.secrets.encryptSecret(secret, ref),
      previousExpiresAt: new Date(this.clock.now() + PREVIOUS_SECRET_MS),
    });
    if (webhook === undefined) throw new NotFoundError('webhook', ref.id);
    await this.audit.record('webhook.secret_rotated', { actor, userId: ref.userId, subject: ref.id });
    return { webhook, secret };
  }

  /** @throws NotFoundError */
  async deleteWebhook(actor: Actor, ref: WebhookRef): Promise<void> {
    if (!(await this.webhooks.deleteWebhook(ref))) throw new NotFoundError('webhook', ref.id);
    await this.audit.record('webhook.deleted', { actor, userId: ref.userId, subject: ref.id });
  }

  /**
   * Lists the deliveries of a webhook, newest first.
   * @throws NotFoundError
   */
  async listDeliveries(ref: WebhookRef, slice: WebhookSlice): Promise<StoredDelivery[]> {
    await this.getWebhook(ref);
    return this.webhooks.listDeliveries(ref, slice);
  }

  /**
   * Returns the normalized URL of a receiver. A name without an address is accepted: it may get one before the first
   * delivery, which checks the address again.
   * @throws InvalidRequestError
   */
  private async checkUrl(text: string): Promise<string> {
    const { url, problem } = parseReceiverUrl(text);
    if (url === undefined) throw invalidUrl(problem);
    const { error } = await this.addresses.checkHost(url, AbortSignal.timeout(RESOLVE_TIMEOUT_MS));
    if (error === 'address_refused') throw invalidUrl(REFUSED);
    return url.href;
  }
}

const REFUSED =
  'url must begin with https:// and its host must have public addresses only, unless the operator of this server allows its network';

function invalidUrl(message: string): InvalidRequestError {
  return new InvalidRequestError(`${message}.`, [{ field: 'url', message }]);
}
