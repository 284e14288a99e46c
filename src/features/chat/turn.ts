import type { Caller } from '../../common/caller.js';
import type { AppError } from '../../common/errors.js';
import type { MicroUsd } from '../../common/money.js';
import type { AttemptRecord, TokenUsage } from '../../llm/index.js';
import type { Compaction } from './compaction.js';
import type { DueChore } from './chore.js';

/** What a caller asks for. */
export interface TurnRequest extends Caller {
  readonly place: Place;
  /** Undefined stands for the model of the answer that is replaced, else for the server's default. */
  readonly model: string | undefined;
  readonly options: AnswerOptions;
  /** Whether the answer to an equal question may be given again. */
  readonly cache: boolean;
  /** Names the request, so that sending it twice asks once. */
  readonly idempotency: Idempotency | undefined;
}

/** Where in the tree of a conversation a turn takes place. */
export type Place =
  /** After the active path, or, without an id, at the beginning of a new conversation. */
  | {
      readonly type: 'next';
      readonly conversationId: string | undefined;
      /** Replaces the conversation's system prompt from this turn on. */
      readonly systemPrompt: string | undefined;
      /** Replaces the conversation's from this turn on. */
      readonly compaction: Compaction | undefined;
      readonly message: string;
    }
  /** A question in the place of one that was asked before; that one stays, beside it. */
  | {
      readonly type: 'edit';
      readonly conversationId: string;
      readonly messageId: string;
      readonly message: string;
    }
  /** Another answer beside the one that there is, or to the question that is named. */
  | { readonly type: 'regenerate'; readonly conversationId: string; readonly messageId: string };

/** How an answer is made. What is undefined is taken from the answer that it replaces, where there is one. */
export interface AnswerOptions {
  readonly temperature: number | undefined;
  readonly maxTokens: number | undefined;
}

/** How a request is known again. */
export interface Idempotency {
  readonly route: string;
  /** What the client named it. */
  readonly key: string;
  /** SHA-256 of what it asks for. */
  readonly fingerprint: Uint8Array<ArrayBuffer>;
}

/** A turn whose question is stored and whose answer is ours to generate. */
export interface Turn extends Caller {
  readonly conversationId: string;
  readonly systemPrompt: string | null;
  readonly compaction: Compaction;
  /** The message that the answer follows. */
  readonly parentId: string;
  readonly answerId: string;
  /** Whoever writes to the answer must hold this lease. */
  readonly leaseOwner: string;
  /** Full name of the model, or an alias. */
  readonly model: string;
  readonly options: AnswerOptions;
  readonly cache: boolean;
}

/** An answer that ended well: by itself, or because somebody stopped it. */
export interface FinishedAnswer {
  readonly status: 'complete' | 'stopped';
  readonly text: string;
  readonly model: string;
  readonly finishReason: string;
  readonly usage: TokenUsage;
  /** Of all attempts; null where no price is known. */
  readonly costMicroUsd: MicroUsd | null;
  readonly warning: string | null;
  /** Whether it comes out of the cache. */
  readonly cached: boolean;
  readonly completedAt: Date;
}

/** How a turn ended. Nothing of it is told before it is committed. */
export type TurnOutcome =
  | FinishedAnswer
  | {
      readonly status: 'interrupted' | 'failed';
      readonly text: string;
      /** Of the text; what was asked for where there is none. */
      readonly model: string;
      readonly error: AppError;
    };

/** What is committed when a turn ends. */
export interface Settlement {
  readonly outcome: TurnOutcome;
  /** Which beginning of the answer the text is of. */
  readonly attempt: number;
  readonly tokenCount: number;
  readonly attempts: readonly AttemptRecord[];
  /** What is to be done in the background after it. */
  readonly chores: readonly DueChore[];
}

/** The cost of all attempts together; null where one has no known price, because a part of a sum is not the sum. */
export function totalCost(attempts: readonly AttemptRecord[]): MicroUsd | null {
  return attempts.reduce<MicroUsd | null>(
    (sum, { costMicroUsd }) => (sum === null || costMicroUsd === null ? null : sum + costMicroUsd),
    0n,
  );
}

/** The reason of an answer that its user stopped. Its row is `interrupted` like that of any answer that was cut short. */
export const STOPPED = 'stopped';

/** What an interrupted answer says of itself, whoever interrupted it. */
export const INTERRUPTED = {
  errorCode: 'interrupted',
  errorMessage:
    'The server stopped while it generated this answer. Send the message again, with a new Idempotency-Key if it had one.',
} as const;
