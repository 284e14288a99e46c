import { CHORE_KINDS, type ChoreRef } from '../model/conversation-task.js';

/** The queue of what keeps turns in order. */
export const TURNS_QUEUE = 'turns';

/** The job that ends the answers of processes that are gone. It carries nothing: what is to be done stands in the rows. */
export const SWEEP_JOB = 'sweep';

/** How often it runs, in milliseconds. */
export const SWEEP_INTERVAL_MS = 15_000;

/** The queue of chores: of its own, because a chore waits for a model and a sweep must not wait for it. */
export const CHORES_QUEUE = 'chores';

/** The job that does a chore. */
export const CHORE_JOB = 'chore';

/** What the job carries. */
export interface ChoreJob {
  readonly conversation_id: string;
  readonly kind: string;
}

/** The chore of a job, or undefined where it is one of a newer version that this one does not know. */
export function toChoreRef({ conversation_id: conversationId, kind: given }: ChoreJob): ChoreRef | undefined {
  const kind = CHORE_KINDS.find((known) => known === given);
  return kind && { conversationId, kind };
}
