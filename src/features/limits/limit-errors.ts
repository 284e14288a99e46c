import { AppError } from '../../common/errors.js';
import { toUsd } from '../../common/money.js';
import { waitUntilFitsMs } from './gcra.js';
import type { Reservation, ReservationResult } from './limit-store.js';
import type { Limits } from './account-limits.js';
import { msUntilNextDay, msUntilNextMonth } from './periods.js';

/** Retry delay if one of the user's own answers must end first, in milliseconds; when it ends is unknown. */
const BUSY_MS = 1_000;

/** Returns the error for a refused reservation, with the time to retry after. */
export function reservationRefusedError(
  { by, backlogMs }: Extract<ReservationResult, { type: 'refused' }>,
  { tokens }: Reservation,
  { concurrency, tokensPerMinute, tokensDay = 0, costMonthMicroUsd = 0 }: Limits,
  now: number,
): AppError {
  switch (by) {
    case 'tokens_day':
      return quotaExceeded(`${tokensDay} tokens per day`, 'the day ends (UTC)', msUntilNextDay(now));
    case 'cost_month':
      return quotaExceeded(
        `$${toUsd(BigInt(costMonthMicroUsd)) ?? 0} per month`,
        'the month ends (UTC)',
        msUntilNextMonth(now),
      );
    case 'concurrency':
      return new AppError(
        'rate_limit_exceeded',
        `At most ${concurrency} answers can be generated at once. Wait for one to end.`,
        { retryAfterMs: BUSY_MS },
      );
    case 'tokens':
      if (tokens > tokensPerMinute) {
        return new AppError(
          'rate_limit_exceeded',
          `The request may use ${tokens} tokens, but the limit is ${tokensPerMinute} tokens per minute. Shorten it, or request fewer tokens.`,
          { retryable: false },
        );
      }
      return new AppError(
        'rate_limit_exceeded',
        `The limit is ${tokensPerMinute} tokens per minute, and this request may use ${tokens}. Try again after the time in Retry-After.`,
        { retryAfterMs: waitUntilFitsMs(backlogMs, tokensPerMinute, tokens) },
      );
  }
}

function quotaExceeded(quota: string, end: string, retryAfterMs: number): AppError {
  return new AppError('quota_exceeded', `The quota of ${quota} is used up until ${end}.`, {
    retryAfterMs,
    retryable: false,
  });
}

/** Returns the error for a refused request, with the time to retry after. */
export function requestLimitError(limit: number, wait: number): AppError {
  return new AppError(
    'rate_limit_exceeded',
    `The limit is ${limit} requests per minute. Try again after the time in Retry-After.`,
    {
      retryAfterMs: wait,
    },
  );
}
