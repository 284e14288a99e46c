import type { MicroUsd } from '../../../common/money.js';
import type { StoredAttachment } from '../attachments/attachment.repository.js';

/** A message as it is stored. */
export interface StoredMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly active: boolean;
  readonly role: 'user' | 'assistant' | 'tool';
  readonly status: 'generating' | 'complete' | 'interrupted' | 'failed';
  readonly content: string;
  /** The calls of tools that an answer asks for, as the common tongue has them. */
  readonly toolCalls: unknown;
  /** The call that this is the result of. */
  readonly toolCallId: string | null;
  readonly model: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly costMicroUsd: MicroUsd | null;
  readonly finishReason: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly warning: string | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
}

/** The columns of a message that its owner sees. */
export const MESSAGE = {
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
  createdAt: true,
  completedAt: true,
} as const;

/** A message with its files, and those beside it that follow the same message. */
export interface ListedMessage extends StoredMessage {
  readonly previous: string | null;
  readonly next: string | null;
  readonly attachments: readonly StoredAttachment[];
}
