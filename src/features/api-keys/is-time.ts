import { buildMessage, ValidateBy } from 'class-validator';

/** RFC 3339 with its offset: without one a time would be read in the zone of the server. */
const TIME =
  /^(?<day>\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** The last time that is written with a year of four digits in UTC, as our answers write it. */
const LATEST = Date.parse('9999-12-31T23:59:59.999Z');

/** A moment, as `2027-11-21T08:00:00Z`. */
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

/** Whether a text is a moment that there is, to be read with `new Date`. */
export function isTime(text: string): boolean {
  const day = TIME.exec(text)?.groups?.['day'];
  return day !== undefined && isInCalendar(day) && Date.parse(text) <= LATEST;
}

/** A 30th of February is read as a day in March. */
function isInCalendar(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(day);
}
