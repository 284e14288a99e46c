import type { NewShareBody, ShareBody, SharedBody, SharedMessageBody } from './share.dto.js';
import type { SharedMessage, StoredShare } from './share.repository.js';
import type { NewShare } from './share.service.js';

/** A share as its owner sees it. */
export function toShareBody({ id, title, messageId, createdAt }: StoredShare): ShareBody {
  return { id, title, message_id: messageId, created_at: createdAt.toISOString() };
}

/** The same with the secret, for the one time that it is told. */
export function toNewShareBody({ id, token, title, messageId, createdAt }: NewShare): NewShareBody {
  const path = `/api/v1/shared/${token}`;
  return { id, token, path, title, message_id: messageId, created_at: createdAt.toISOString() };
}

/** A share as anybody sees it. */
export function toSharedBody({ title, createdAt }: StoredShare): SharedBody {
  return { title, created_at: createdAt.toISOString() };
}

/** A message as anybody sees it: nothing of whose it is and what it cost. */
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
