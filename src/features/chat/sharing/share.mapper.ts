import type { NewShareBody, ShareBody, SharedBody, SharedMessageBody } from './share.dto.js';
import type { SharedMessage, StoredShare } from './share.repository.js';
import type { NewShare } from './share.service.js';

/** Converts a share to its API representation for the owner. */
export function toShareBody({ id, title, messageId, createdAt }: StoredShare): ShareBody {
  return { id, title, message_id: messageId, created_at: createdAt.toISOString() };
}

/** Converts a new share, including the secret, which is returned only this once. */
export function toNewShareBody({ id, token, title, messageId, createdAt }: NewShare): NewShareBody {
  const path = `/api/v1/shared/${token}`;
  return { id, token, path, title, message_id: messageId, created_at: createdAt.toISOString() };
}

/** Converts a share to its public representation. */
export function toSharedBody({ title, createdAt }: StoredShare): SharedBody {
  return { title, created_at: createdAt.toISOString() };
}

/** Converts a message to its public representation, without its owner and its cost. */
export function toSharedMessageBody(message: SharedMessage): SharedMessageBody {
  const { id, role, content, model, toolCalls, toolCallId, createdAt } = message;
  return {
    id,
    role,
    content,
    model,
    ...(toolCalls !== null && { tool_calls: toolCalls }),
    ...(toolCallId !== null && { tool_call_id: toolCallId }),
    created_at: createdAt.toISOString(),
  };
}
