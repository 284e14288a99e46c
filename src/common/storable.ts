/** A text of somebody else's as it can be stored: PostgreSQL takes every character but NUL. */
export function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}

/** A value of somebody else's as JSON that can be stored: PostgreSQL takes neither NUL nor halves of characters in it. */
export function storableJson(value: unknown): string {
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
  return storable(text).toWellFormed();
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
