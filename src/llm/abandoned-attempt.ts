import type { AttemptRecord } from './port/index.js';
import { priceOf } from './prices.js';
import { countTokens } from './token-counter.js';

/** The record of an attempt whose process is gone, by estimate from what it had stored. */
export function abandonedAttempt(answer: { name: string; inputTokens: number; text: string }): AttemptRecord {
  const slash = answer.name.indexOf('/');
  const provider = answer.name.slice(0, Math.max(0, slash));
  const usage = {
    inputTokens: answer.inputTokens,
    outputTokens: countTokens(answer.text),
    cachedTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
  };
  return {
    attempt: 1,
    provider,
    model: answer.name.slice(slash + 1),
    outcome: 'cancelled',
    usage,
    costMicroUsd: priceOf(provider),
    estimated: true,
  };
}
