import { buildMessage, ValidateBy } from 'class-validator';

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Validates a calendar day such as `2026-11-21`. */
export function IsDay(): PropertyDecorator {
  return ValidateBy({
    name: 'isDay',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && isDay(value),
      defaultMessage: buildMessage((prefix) => `${prefix}$property must be a date such as 2026-11-21`),
    },
  });
}

/** Years before 2000 or after 2999 are typing errors, and PostgreSQL has no year 0. */
function isDay(text: string): boolean {
  if (!DAY.test(text) || text < '2000' || text > '2999') return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(text);
}
