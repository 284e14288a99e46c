import { isId } from '../../../common/ids.js';
import type { IngestionRef } from './ingestion.js';

/** The queue of ingestions. A separate queue, because one may take minutes and must not delay others. */
export const INGESTIONS_QUEUE = 'rag-ingestions';

/** The job that works on an ingestion. */
export const INGESTION_JOB = 'rag-ingestion';

/** Payload of the job. */
export interface IngestionJob {
  readonly user_id: string;
  readonly ingestion_id: string;
}

/** Converts an ingestion to the payload of its job. */
export function toIngestionJob({ id, userId }: IngestionRef): IngestionJob {
  return { user_id: userId, ingestion_id: id };
}

/** Returns the ingestion of a job; undefined if a newer version queued it in another form. */
export function toIngestionRef({
  user_id: userId,
  ingestion_id: id,
}: IngestionJob): IngestionRef | undefined {
  return isId(userId) && isId(id) ? { id, userId } : undefined;
}
