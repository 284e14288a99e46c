import { isId } from '../../../common/ids.js';
import type { BatchRef } from '../model/batch.js';

/** The queue of batches. */
export const BATCHES_QUEUE = 'batches';

/** The job that wakes a worker up: a batch has work. The rows say which. */
export const BATCH_JOB = 'batch';

/** Payload of the job. */
export interface BatchJob {
  readonly user_id: string;
  readonly batch_id: string;
}

/** Converts a batch to the payload of its job. */
export function toBatchJob({ id, userId }: BatchRef): BatchJob {
  return { user_id: userId, batch_id: id };
}

/** Returns the batch of a job; undefined if a newer version queued it in another form. */
export function toBatchRef({ user_id: userId, batch_id: id }: BatchJob): BatchRef | undefined {
  return isId(userId) && isId(id) ? { id, userId } : undefined;
}
