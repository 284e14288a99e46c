import { toUsd } from '../../../common/money.js';
import type { ListedMessage } from './stored-message.js';
import { toToolCalls, toOpenAiToolCalls } from '../model/tool-calls.js';
import type { AttachmentBody, MessageBody } from './message.dto.js';
import type { StoredMessage } from './stored-message.js';
import type { UsageBody } from './usage.dto.js';
import type { StoredAttachment } from '../attachments/attachment.repository.js';

/** Converts a message, without its attachments, to its API representation. */
export function toMessageBody(message: StoredMessage): MessageBody {
  const { errorCode, errorMessage, warning, toolCallId } = message;
  const calls = toToolCalls(message.toolCalls);
  return {
    id: message.id,
    role: message.role,
    content: message.content,
    ...(calls.length > 0 && { tool_calls: toOpenAiToolCalls(calls) }),
    ...(toolCallId !== null && { tool_call_id: toolCallId }),
    status: message.status,
    parent_id: message.parentId,
    active: message.active,
    model: message.model,
    usage: toAnswerUsage(message),
    cost_estimate: toUsd(message.costMicroUsd),
    finish_reason: message.finishReason,
    attachments: [],
    ...(errorCode !== null && { error: { code: errorCode, message: errorMessage ?? '' } }),
    ...(warning !== null && { warning }),
    created_at: message.createdAt.toISOString(),
  };
}

/** Returns the usage of an answer; null while it is being generated, because it is not known yet. */
export function toAnswerUsage({ inputTokens, outputTokens }: StoredMessage): UsageBody | null {
  if (inputTokens === null || outputTokens === null) return null;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

/** Converts a message of a list to its API representation. */
export function toListedMessageBody(message: ListedMessage): MessageBody {
  const { previous, next, attachments } = message;
  return Object.assign(toMessageBody(message), {
    previous_sibling_id: previous,
    next_sibling_id: next,
    attachments: attachments.map(toAttachmentBody),
  });
}

export function toAttachmentBody({ fileId, name, mediaType }: StoredAttachment): AttachmentBody {
  return { file_id: fileId, name, media_type: mediaType };
}
