import { toKnownCostUsd } from '../../common/money.js';
import { GROUP_BY_KEY, type UsageOfDayBody, type UsageQuery, type UsageReportBody } from './usage.dto.js';
import type { DailyUsage } from './usage.repository.js';
import type { UsageReportRequest, UsageReport } from './usage.service.js';

/** Converts a query to a usage request. */
export function toUsageReportRequest({ by, from, to }: UsageQuery): UsageReportRequest {
  return { from, to, byKey: by === GROUP_BY_KEY };
}

/** Converts a report to its API representation. */
export function toUsageReportBody({ days, byKey, rows }: UsageReport): UsageReportBody {
  const data = rows.map((row) => toDayBody(row, byKey));
  return { object: 'list', from: days.from, to: days.to, data, total: toFigures(rows) };
}

function toDayBody(row: DailyUsage, byKey: boolean): UsageOfDayBody {
  const { day: date, provider, model, apiKeyId } = row;
  const key = byKey ? { api_key_id: apiKeyId } : {};
  return { date, model: `${provider}/${model}`, ...key, ...toFigures([row]) };
}

/** Adds up rows. No ledger has so many tokens that a number could not hold their count exactly. */
function toFigures(rows: readonly DailyUsage[]): Omit<UsageOfDayBody, 'date' | 'model' | 'api_key_id'> {
  const sum = (of: (row: DailyUsage) => bigint): bigint => rows.reduce((total, row) => total + of(row), 0n);
  const prompt = Number(sum((row) => row.inputTokens));
  const completion = Number(sum((row) => row.outputTokens));
  const unpriced = Number(sum((row) => row.unpricedAttempts));
  return {
    requests: Number(sum((row) => row.calls)),
    attempts: Number(sum((row) => row.attempts)),
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    cached_tokens: Number(sum((row) => row.cachedTokens)),
    cache_write_tokens: Number(sum((row) => row.cacheWriteTokens)),
    reasoning_tokens: Number(sum((row) => row.reasoningTokens)),
    cost_estimate: toKnownCostUsd(
      sum((row) => row.costMicroUsd ?? 0n),
      unpriced,
    ),
    unpriced_attempts: unpriced,
    estimated_attempts: Number(sum((row) => row.estimatedAttempts)),
  };
}
