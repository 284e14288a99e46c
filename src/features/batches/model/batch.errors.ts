import { AppError } from '../../../common/errors.js';
import { BATCH_LIMITS } from './batch.js';

/** Refuses a batch because the account has as many as it may have. */
export class BatchLimitError extends AppError {
  constructor(limit: 'activeBatches' | 'waitingItems') {
    super('batch_limit_exceeded', LIMIT_MESSAGES[limit], { retryAfterMs: 60_000 });
  }
}

const LIMIT_MESSAGES = {
  activeBatches: `You have ${BATCH_LIMITS.activeBatches} batches that have not ended, the maximum. Wait for one of them, or cancel one.`,
  waitingItems: `With this batch you would have more than ${BATCH_LIMITS.waitingItems.toLocaleString('en')} requests that have not been answered, the maximum. Wait for other batches, cancel one, or send fewer requests.`,
} as const;

/** Refuses to retry a batch that has not ended. */
export class BatchNotEndedError extends AppError {
  constructor(id: string) {
    super(
      'invalid_request',
      `The batch '${id}' has not ended. Wait until it has, or cancel it; then its failed requests can be retried.`,
      { param: 'job_id' },
    );
  }
}
