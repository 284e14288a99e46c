import type { AttemptRecord } from '../port/index.js';
import type { PriceTable } from '../accounting/price-table.js';
import { countTokens } from '../accounting/token-counter.js';

/** Estimates the record of an attempt whose process has died, from the text that it had stored. */
export function estimateAbandonedAttempt(
  answer: { readonly name: string; readonly inputTokens: number; readonly text: string },
  prices: PriceTable,
): AttemptRecord {
  const slash = answer.name.indexOf('/');
  // Before its first output, an answer carries the requested name, which may stand for several models.
  const provider = slash === -1 ? 'unknown' : answer.name.slice(0, slash);
  const model = answer.name.slice(slash + 1);
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
    model,
    outcome: 'cancelled',
    usage,
    costMicroUsd: slash === -1 ? null : prices.costOf({ provider, model }, usage),
    estimated: true,
  };
}
