import { AppError } from '../../../common/errors.js';
import { MAX_WEBHOOKS } from '../model/webhook.js';

/** Rejects a webhook above the bound of an account. */
export class TooManyWebhooksError extends AppError {
  constructor() {
    super(
      'limit_reached',
      `An account has at most ${String(MAX_WEBHOOKS)} webhooks. Delete one that you no longer need.`,
      { retryable: false },
    );
  }
}
