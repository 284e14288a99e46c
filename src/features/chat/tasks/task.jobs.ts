import { type TaskRef, TASK_KINDS } from '../model/conversation-task.js';

/** The queue of chores: of its own, because a chore waits for a model and a sweep must not wait for it. */
export const TASKS_QUEUE = 'chores';

/** The job that does a chore. */
export const TASK_JOB = 'chore';

/** Payload of the job. */
export interface TaskJob {
  readonly conversation_id: string;
  readonly kind: string;
}

/** The chore of a job, or undefined where it is one of a newer version that this one does not know. */
export function toTaskRef({ conversation_id: conversationId, kind: given }: TaskJob): TaskRef | undefined {
  const kind = TASK_KINDS.find((known) => known === given);
  return kind && { conversationId, kind };
}
