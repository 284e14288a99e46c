/** A text of somebody else's as it can be stored: PostgreSQL takes every character but NUL. */
export function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}

/** A value of somebody else's as JSON that can be stored: PostgreSQL takes neither NUL nor halves of characters in it. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'string' ? storable(entry).toWellFormed() : entry,
  );
}
