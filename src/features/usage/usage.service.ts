import { Injectable } from '@nestjs/common';
import { DAY_MS } from '../../common/durations.js';
import { InvalidRequestError } from '../../common/errors.js';
import { type Days, type DailyUsage, UsageRepository } from './usage.repository.js';

/** Number of days of a report if the caller does not specify any. */
const DEFAULT_DAYS = 30;

/** Maximum number of days of a report. */
const MAX_DAYS = 366;

/** Period and grouping of a usage report. */
export interface UsageReportRequest {
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** True to group by key. */
  readonly byKey: boolean;
}

/** An account's usage over some days. */
export interface UsageReport {
  readonly days: Days;
  /** True if grouped by key. */
  readonly byKey: boolean;
  readonly rows: readonly DailyUsage[];
}

/** Reports usage to accounts. */
@Injectable()
export class UsageService {
  constructor(private readonly usage: UsageRepository) {}

  /**
   * Returns an account's usage by day and model, and by key if requested.
   * @throws InvalidRequestError if there are too many days, or the last one is before the first
   */
  async report(userId: string, request: UsageReportRequest): Promise<UsageReport> {
    const days = toDays(request);
    const { byKey } = request;
    return { days, byKey, rows: await this.usage.summarize(userId, days, byKey) };
  }
}

function toDays(request: Pick<UsageReportRequest, 'from' | 'to'>): Days {
  const to = request.to ?? (request.from === undefined ? today() : latest(today(), request.from));
  const from = request.from ?? dayOf(Date.parse(to) - (DEFAULT_DAYS - 1) * DAY_MS);
  const count = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  if (count < 1) throw refused('from must not be after to');
  if (count > MAX_DAYS) throw refused(`from must be at most ${MAX_DAYS - 1} days before to`);
  return { from, to };
}

function today(): string {
  return dayOf(Date.now());
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function latest(one: string, other: string): string {
  return one > other ? one : other;
}

function refused(message: string): InvalidRequestError {
  return new InvalidRequestError(`${message}.`, [{ field: 'from', message }]);
}
