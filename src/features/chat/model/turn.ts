import type { AccountAccess, AnswerCaching } from '../../../common/caller.js';
import type { AppError } from '../../../common/errors.js';
import type { MicroUsd } from '../../../common/money.js';
import type { AttemptRecord, ProviderData, TokenUsage } from '../../../llm/index.js';
import type { AnswerParameters } from './answer-parameters.js';
import type { Compaction } from './compaction.js';
import type { TurnRetrieval } from './answer-sources.js';
import type { DueTask } from './conversation-task.js';
import type { ToolCall } from './tool-calls.js';
import type { TurnTarget } from './turn-target.js';

/** Specification of an answer: the account, model and parameters. Passed on unchanged from start to end. */
export interface GenerationSpec extends AccountAccess {
  /** Full name of the model, or an alias. */
  readonly model: string;
  readonly parameters: AnswerParameters;
  /**
   * Temperature to request if `parameters` specify none; undefined leaves it to the model. The caller did not send
   * it, so it is omitted for a model that rejects it. Not stored: only the process that begins a turn generates its
   * answer.
   */
  readonly defaultTemperature: number | undefined;
  /** Instructions for this turn only, sent to the model after the conversation's system prompt. */
  readonly instructions: string | null;
  /** `once` lets another model restart the answer after it broke off; `never` if the client could not be notified. */
  readonly restart: 'once' | 'never';
  /** Collections that the answer is based on; undefined for none. */
  readonly retrieval: TurnRetrieval | undefined;
  /** Allows a cached answer to an equal question; undefined always asks the model. */
  readonly cache: AnswerCaching | undefined;
}

/** A turn that a client requests. */
export interface TurnRequest {
  readonly target: TurnTarget;
  /** Without a model: that of the answer that is replaced or continued, otherwise the server's default. */
  readonly spec: Omit<GenerationSpec, 'model' | 'retrieval'> & { readonly model: string | undefined };
  /**
   * Ids or names of the collections that the answer is based on. Without them: those of the answer that is replaced.
   */
  readonly collections?: readonly string[] | undefined;
  /** Text that passages are searched for. Without it: the question that is answered. */
  readonly question?: string | undefined;
  /** True if the caller has the scope of retrieval, without which an answer cannot be based on collections. */
  readonly mayRetrieve: boolean;
  /** If true, an answer that does not match the `response_format` of the parameters is a failure. */
  readonly checkOutput: boolean;
  /** Identifies the request, so that sending it twice starts only one turn. */
  readonly idempotency: Idempotency | undefined;
}

/** Identity of a request that may be sent more than once. */
export interface Idempotency {
  readonly route: string;
  /** `Idempotency-Key` of the client. */
  readonly key: string;
  /** SHA-256 of the request's content. */
  readonly fingerprint: Uint8Array<ArrayBuffer>;
}

/** Duration of an answer's lease, in seconds. Each checkpoint renews it. */
export const LEASE_SECONDS = 15;

/** The only message of a conversation that has just begun, as it is stored. */
export interface OpeningQuestion {
  readonly id: string;
  readonly content: string;
  readonly tokenCount: number;
  /** True if it was sent with attachments. */
  readonly hasFiles: boolean;
}

/** A turn whose question is stored and whose answer is ours to generate. */
export interface Turn {
  readonly spec: GenerationSpec;
  readonly conversationId: string;
  readonly systemPrompt: string | null;
  readonly compaction: Compaction;
  /** True if the question has attachments. */
  readonly hasFiles: boolean;
  /** The message that the answer follows. */
  readonly parentId: string;
  /** The question if it begins the conversation, so that the context need not be read; otherwise undefined. */
  readonly openingQuestion: OpeningQuestion | undefined;
  readonly answerId: string;
  /** Every write to the answer must hold this lease. */
  readonly leaseOwner: string;
}

/** An answer that ended successfully: on its own, or because a user stopped it. */
export interface FinishedAnswer {
  readonly status: 'complete' | 'stopped';
  readonly text: string;
  /** Tool calls of the answer. */
  readonly calls: readonly ToolCall[];
  readonly model: string;
  readonly finishReason: string;
  readonly usage: TokenUsage;
  /** Cost of all attempts; null if any price is unknown. */
  readonly costMicroUsd: MicroUsd | null;
  readonly warning: string | null;
  /** True if the answer came from the cache. */
  readonly cached: boolean;
  readonly completedAt: Date;
}

/** Outcome of a turn. Nothing of it is published before it is committed. */
export type TurnOutcome =
  | FinishedAnswer
  | {
      readonly status: 'interrupted' | 'failed';
      readonly text: string;
      readonly calls: readonly ToolCall[];
      /** The model that wrote the text; the requested one if there is no text. */
      readonly model: string;
      readonly error: AppError;
    };

/** Result of a turn, committed when it ends. */
export interface TurnResult {
  readonly outcome: TurnOutcome;
  /** Number of the attempt that wrote the text. */
  readonly attempt: number;
  readonly tokenCount: number;
  readonly attempts: readonly AttemptRecord[];
  /** Data of the answer that only its provider understands. */
  readonly providerData: ProviderData | undefined;
  /** Background tasks that become due after the turn. */
  readonly dueTasks: readonly DueTask[];
}

/** Returns the total cost of all attempts; null if any has no known price, because a partial sum is not the total. */
export function totalCost(attempts: readonly AttemptRecord[]): MicroUsd | null {
  return attempts.reduce<MicroUsd | null>(
    (sum, { costMicroUsd }) => (sum === null || costMicroUsd === null ? null : sum + costMicroUsd),
    0n,
  );
}

/**
 * Finish reason of an answer that its user stopped. Its row is `interrupted`, like that of any answer that ended
 * early.
 */
export const STOPPED_FINISH_REASON = 'stopped';

/** Error of an interrupted answer, whatever interrupted it. */
export const INTERRUPTED_ERROR = {
  errorCode: 'interrupted',
  errorMessage:
    'The server stopped while it generated this answer. Regenerate it with POST /api/v1/conversations/{id}/messages/{message_id}/regenerate.',
} as const;
