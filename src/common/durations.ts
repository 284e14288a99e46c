/** Length of a day in UTC, which has no leap seconds or daylight saving time, in milliseconds. */
export const DAY_MS = 86_400_000;
