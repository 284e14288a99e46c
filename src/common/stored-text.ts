/** Makes untrusted text storable: PostgreSQL accepts every character except NUL. */
export function stripNul(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}

/** Makes untrusted text storable as part of JSON, as `toStorableJson` does with every text in it. */
export function toStorableText(text: string): string {
  return stripNul(text).toWellFormed();
}

/** Matches JSON escapes of NUL and lone surrogates. Text that contains them literally only takes the slow path. */
const MAY_NOT_BE_STORABLE = /\\u(?:0000|d[89a-f])/;

/**
 * Serializes an untrusted value to JSON that can be stored: PostgreSQL accepts neither NUL nor lone surrogates in
 * it.
 */
export function toStorableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!MAY_NOT_BE_STORABLE.test(json)) return json;
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry === 'string') return toStorableText(entry);
    return isPlainObject(entry) ? withStorableNames(entry) : entry;
  });
}

/** Returns the same object if all its keys can be stored, which is almost always the case. */
function withStorableNames(object: object): object {
  const entries = Object.entries(object);
  if (entries.every(([name]) => toStorableText(name) === name)) return object;
  return Object.fromEntries(entries.map(([name, value]) => [toStorableText(name), value]));
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
