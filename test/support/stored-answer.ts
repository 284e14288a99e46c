import type { StoredAnswer } from '../../src/features/chat/messages/answer.repository.js';

/** Returns a stored answer with defaults for the columns that a spec does not set. */
export function storedAnswer(row: Partial<StoredAnswer>): StoredAnswer {
  return {
    id: 'answer',
    parentId: 'question',
    active: true,
    role: 'assistant',
    status: 'generating',
    content: 'Hello',
    toolCalls: null,
    toolCallId: null,
    model: 'demo/echo',
    inputTokens: null,
    outputTokens: null,
    costMicroUsd: null,
    finishReason: null,
    errorCode: null,
    errorMessage: null,
    warning: null,
    omittedPages: null,
    sources: null,
    createdAt: new Date(0),
    completedAt: null,
    conversationId: 'conversation',
    attempt: 1,
    cachedTokens: null,
    cacheWriteTokens: null,
    reasoningTokens: null,
    cached: false,
    ...row,
  };
}
