import { DAY_MS } from '../../common/durations.js';

/** Returns the day of a time, in UTC: `2026-11-21`. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** Returns the first day of its month. */
export function monthOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 7)}-01`;
}

/** Returns the time until the next day in UTC, in milliseconds. */
export function msUntilNextDay(time: number): number {
  return DAY_MS - (time % DAY_MS);
}

/** Returns the time until the next month in UTC, in milliseconds. */
export function msUntilNextMonth(time: number): number {
  const date = new Date(time);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) - time;
}
