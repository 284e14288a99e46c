import { v7, validate } from 'uuid';

/** A new UUID v7: rising in time, so that it serves as key and as page cursor. */
export function newId(): string {
  return v7();
}

/** Whether a text is a UUID in its canonical form. */
export function isId(text: string): boolean {
  return validate(text);
}
