import { AppError, isErrorCode } from '../../../common/errors.js';
import { TurnInterruptedError } from '../model/chat.errors.js';
import type { StoredAnswer } from '../messages/answer.repository.js';
import { toToolCalls } from '../model/tool-calls.js';
import type { TurnOutcome } from '../model/turn.js';

/**
 * Returns the outcome of an answer from its row; undefined while it is being generated.
 * @param stored null if the row was deleted with its conversation
 * @param first the row as first read
 */
export function toStoredOutcome(stored: StoredAnswer | null, first: StoredAnswer): TurnOutcome | undefined {
  const { content: text, model, status } = stored ?? first;
  const of = { text, calls: toToolCalls((stored ?? first).toolCalls), model: model ?? '' };
  if (stored === null) return { ...of, status: 'interrupted', error: new TurnInterruptedError() };
  switch (status) {
    case 'generating':
      return undefined;
    case 'failed':
      return { ...of, status, error: errorOf(stored) };
    case 'interrupted':
      if (stored.finishReason === null) return { ...of, status, error: new TurnInterruptedError() };
      return { ...of, ...figuresOf(stored), status: 'stopped' };
    case 'complete':
      return { ...of, ...figuresOf(stored), status };
  }
}

function figuresOf(stored: StoredAnswer) {
  const { inputTokens, outputTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = stored;
  const { finishReason, costMicroUsd, warning, cached, completedAt, createdAt } = stored;
  return {
    finishReason: finishReason ?? 'stop',
    usage: {
      inputTokens: inputTokens ?? 0,
      outputTokens: outputTokens ?? 0,
      cachedTokens: cachedTokens ?? 0,
      cacheWriteTokens: cacheWriteTokens ?? 0,
      reasoningTokens: reasoningTokens ?? 0,
    },
    costMicroUsd,
    warning,
    cached,
    completedAt: completedAt ?? createdAt,
  };
}

/** Returns the failure as first reported; a code that no longer exists becomes an unknown failure. */
function errorOf({ errorCode, errorMessage }: StoredAnswer): AppError {
  const code = errorCode !== null && isErrorCode(errorCode) ? errorCode : 'internal_error';
  return new AppError(code, errorMessage ?? 'The answer failed.', { retryable: false });
}
