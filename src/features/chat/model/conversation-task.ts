import type { ChatRequest } from '../../../llm/index.js';

/** Kinds of background tasks of a conversation. */
export const TASK_KINDS = ['title', 'summary'] as const;

export type TaskKind = (typeof TASK_KINDS)[number];

/** Reference to a task, as used by the queue. */
export interface TaskRef {
  readonly conversationId: string;
  readonly kind: TaskKind;
}

/** A task that becomes due at the end of a turn. */
export interface DueTask {
  readonly kind: TaskKind;
  /** For a title the answer to the first question; for a summary the last message to cover. */
  readonly messageId: string;
}

/** A task that this process has claimed for a limited time. */
export interface ConversationTask extends TaskRef {
  readonly userId: string;
  readonly messageId: string;
  /** Number of attempts, including this one. */
  readonly attempts: number;
  /** End of the claim. Unique to each attempt, so it serves as the fencing token of the result. */
  readonly leaseUntil: Date;
}

/** Result of a task. */
export type TaskResult =
  | { readonly type: 'title'; readonly title: string }
  | {
      readonly type: 'summary';
      /** The last message that the summary covers. */
      readonly messageId: string;
      readonly text: string;
      readonly tokenCount: number;
    };

/** Model request of a task. */
export interface TaskRequest {
  /** Full name or alias; undefined for the default model. */
  readonly model: string | undefined;
  readonly request: ChatRequest;
  /** Converts the model's answer to a result; undefined if it is unusable. */
  readonly parseResult: (answer: string) => TaskResult | undefined;
  /** True if the task is done with this answer, false if another step follows. */
  readonly isLastStep: boolean;
}

/** Handles one kind of task. */
export interface TaskHandler {
  /** Builds the model request; undefined if there is nothing left to do. */
  buildRequest(task: ConversationTask): Promise<TaskRequest | undefined>;
}

/**
 * State of a task after an attempt: it is done, or due again after some seconds. `counted` tells whether the attempt
 * counts towards the maximum.
 */
export type TaskEnd = 'done' | { readonly waitSeconds: number; readonly counted: boolean };
