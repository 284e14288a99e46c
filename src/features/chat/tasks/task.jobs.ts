import { type TaskRef, TASK_KINDS } from '../model/conversation-task.js';

/** The queue of tasks. A separate queue, because a task waits for a model and must not delay a sweep. */
export const TASKS_QUEUE = 'conversation-tasks';

/** Name of the queue in earlier versions. */
export const FORMER_TASKS_QUEUE = 'chores';

/** The job that runs a task. */
export const TASK_JOB = 'conversation-task';

/** Payload of the job. */
export interface TaskJob {
  readonly conversation_id: string;
  readonly kind: string;
}

/** Returns the task of a job; undefined if its kind was added by a newer version. */
export function toTaskRef({ conversation_id: conversationId, kind: given }: TaskJob): TaskRef | undefined {
  const kind = TASK_KINDS.find((known) => known === given);
  return kind && { conversationId, kind };
}
