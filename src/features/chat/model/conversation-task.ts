import type { ChatRequest } from '../../../llm/index.js';

/** What can be done for a conversation in the background. */
export const TASK_KINDS = ['title', 'summary'] as const;

export type TaskKind = (typeof TASK_KINDS)[number];

/** A chore, as the queue names it. */
export interface TaskRef {
  readonly conversationId: string;
  readonly kind: TaskKind;
}

/** Something that a turn makes due when it ends. */
export interface DueTask {
  readonly kind: TaskKind;
  /** The answer to a first question, for a title; the last message to be covered, for a summary. */
  readonly messageId: string;
}

/** A chore that is ours to do for a while. */
export interface Chore extends TaskRef {
  readonly userId: string;
  readonly messageId: string;
  /** How often it was begun, this time included. */
  readonly tries: number;
  /** Until when it is ours. No other try has the same, so it is what a result is fenced by. */
  readonly heldUntil: Date;
}

/** What a chore comes to. */
export type ChoreResult =
  | { readonly type: 'title'; readonly title: string }
  | {
      readonly type: 'summary';
      /** The last message that it covers. */
      readonly messageId: string;
      readonly text: string;
      readonly tokenCount: number;
    };

/** What a model is to be asked for a chore. */
export interface ChoreTask {
  /** Full name, alias, or undefined for the default model. */
  readonly model: string | undefined;
  readonly request: ChatRequest;
  /** What an answer comes to; undefined where it is of no use. */
  readonly read: (answer: string) => ChoreResult | undefined;
  /** Whether it is done with this answer, or goes on with another step. */
  readonly last: boolean;
}

/** One kind of chore. */
export interface TaskHandler {
  /** What there is to ask; undefined where there is nothing to do any more. */
  buildRequest(chore: Chore): Promise<ChoreTask | undefined>;
}

/** What becomes of a chore after a try: it is gone, or waits so many seconds. `counted` says whether the try counts. */
export type ChoreEnd = 'done' | { readonly waitSeconds: number; readonly counted: boolean };
