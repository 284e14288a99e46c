/** A text of somebody else's as it can be stored: PostgreSQL takes every character but NUL. */
export function stripNul(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}

/** Matches JSON escapes of NUL and lone surrogates. Text that contains these letters literally only costs the slow path. */
const MAY_NOT_BE_STORABLE = /\\u(?:0000|d[89a-f])/;

/** A value of somebody else's as JSON that can be stored: PostgreSQL takes neither NUL nor halves of characters in it. */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  if (!MAY_NOT_BE_STORABLE.test(json)) return json;
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry === 'string') return storableText(entry);
    return isPlainObject(entry) ? withStorableNames(entry) : entry;
  });
}

/** The same object if all its names can be stored, which is nearly always so. */
function withStorableNames(object: object): object {
  const entries = Object.entries(object);
  if (entries.every(([name]) => storableText(name) === name)) return object;
  return Object.fromEntries(entries.map(([name, value]) => [storableText(name), value]));
}

function storableText(text: string): string {
  return stripNul(text).toWellFormed();
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
