import { type ChoreRef, CHORE_KINDS } from '../model/conversation-task.js';

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
