import type { MicroUsd } from '../../../common/money.js';
import type { AnswerSources } from '../model/answer-sources.js';
import type { StoredAttachment } from '../attachments/attachment.repository.js';

/** A stored message. */
export interface StoredMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly active: boolean;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly status: 'generating' | 'complete' | 'interrupted' | 'failed';
  readonly content: string;
  /** Tool calls of an answer in the canonical format (OpenAI Chat Completions). */
  readonly toolCalls: unknown;
  /** Id of the call that this message is the result of. */
  readonly toolCallId: string | null;
  readonly model: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costMicroUsd: MicroUsd | null;
  readonly finishReason: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly warning: string | null;
  /** Documents that were not sent to the model in full, as stored in the row. */
  readonly omittedPages: unknown;
  /** Collections and sources of an answer, as stored in the row. */
  readonly sources: unknown;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
}

/** Columns of a message that are visible to its owner. */
export const MESSAGE_COLUMNS = {
  id: true,
  parentId: true,
  active: true,
  role: true,
  status: true,
  content: true,
  toolCalls: true,
  toolCallId: true,
  model: true,
  inputTokens: true,
  outputTokens: true,
  costMicroUsd: true,
  finishReason: true,
  errorCode: true,
  errorMessage: true,
  warning: true,
  omittedPages: true,
  sources: true,
  createdAt: true,
  completedAt: true,
} as const;

/** A message with its attachments and its previous and next sibling. */
export interface ListedMessage extends StoredMessage {
  readonly previous: string | null;
  readonly next: string | null;
  readonly attachments: readonly StoredAttachment[];
  /** Sources of an answer; undefined if it is based on no collection. */
  readonly shownSources: AnswerSources | undefined;
}
