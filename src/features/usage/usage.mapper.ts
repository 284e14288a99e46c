import { toKnownUsd } from '../../common/money.js';
import type { UsageOfDayBody, UsageReportBody } from './usage.dto.js';
import type { UsageOfDay } from './usage.repository.js';
import type { UsageReport } from './usage.service.js';

/** A report as its owner gets it. */
export function toUsageReportBody({ days, rows }: UsageReport): UsageReportBody {
  return { object: 'list', from: days.from, to: days.to, data: rows.map(toDayBody), total: toFigures(rows) };
}

function toDayBody(row: UsageOfDay): UsageOfDayBody {
  return { date: row.day, model: `${row.provider}/${row.model}`, ...toFigures([row]) };
}

/** Counts stay within what a number holds exactly: a ledger of that many tokens does not exist. */
function toFigures(rows: readonly UsageOfDay[]): Omit<UsageOfDayBody, 'date' | 'model'> {
  const sum = (of: (row: UsageOfDay) => bigint): bigint => rows.reduce((total, row) => total + of(row), 0n);
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
    cost_estimate: toKnownUsd(
      sum((row) => row.costMicroUsd ?? 0n),
      unpriced,
    ),
    unpriced_attempts: unpriced,
    estimated_attempts: Number(sum((row) => row.estimatedAttempts)),
  };
}
