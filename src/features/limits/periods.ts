const DAY_MS = 86_400_000;

/** The day of a moment, in UTC: `2026-11-21`. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The first day of its month. */
export function monthOf(time: number): string {
  return `${new Date(time).toISOString().slice(0, 7)}-01`;
}

/** How long its day goes on, in milliseconds. */
export function restOfDay(time: number): number {
  return DAY_MS - (time % DAY_MS);
}

/** How long its month goes on, in milliseconds. */
export function restOfMonth(time: number): number {
  const date = new Date(time);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) - time;
}
