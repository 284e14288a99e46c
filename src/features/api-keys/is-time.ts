import { buildMessage, ValidateBy } from 'class-validator';

/** RFC 3339 with an offset: without one a time would be interpreted in the server's time zone. */
const TIME =
  /^(?<day>\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** The last time with a four-digit year in UTC, the form in which responses show it. */
const LATEST = Date.parse('9999-12-31T23:59:59.999Z');

/** Validates a time such as `2027-11-21T08:00:00Z`. */
export function IsTime(): PropertyDecorator {
  return ValidateBy({
    name: 'isTime',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && isTime(value),
      defaultMessage: buildMessage(
        (prefix) => `${prefix}$property must be a time with an offset, such as 2027-11-21T08:00:00Z`,
      ),
    },
  });
}

/** Returns true if a text is an existing time that `new Date` can parse. */
export function isTime(text: string): boolean {
  const day = TIME.exec(text)?.groups?.['day'];
  return day !== undefined && isInCalendar(day) && Date.parse(text) <= LATEST;
}

/** Returns true if the day exists. `Date` would parse February 30 as a day in March. */
function isInCalendar(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(day);
}
