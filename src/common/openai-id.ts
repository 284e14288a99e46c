import { NotFoundError } from './errors.js';

/** A UUID, or its 32 digits. */
const UUID = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([1-8][0-9a-f]{3})-?([89ab][0-9a-f]{3})-?([0-9a-f]{12})$/i;

/** Returns an id in OpenAI's format: the digits of a UUID after the prefix of its kind. */
export function toOpenAiId(prefix: string, id: string): string {
  return prefix + id.replaceAll('-', '');
}

/**
 * Returns the UUID of an id in OpenAI's format, or of a UUID as in the native API.
 * @throws NotFoundError if it is not the id of anything
 */
export function parseOpenAiId(what: string, prefix: string, given: string): string {
  const hasPrefix = given.slice(0, prefix.length).toLowerCase() === prefix;
  const parts = UUID.exec(hasPrefix ? given.slice(prefix.length) : given);
  if (parts === null) throw new NotFoundError(what, given);
  return parts.slice(1).join('-').toLowerCase();
}
