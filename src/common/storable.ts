/** A text of somebody else's as it can be stored: PostgreSQL takes every character but NUL. */
export function storable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text;
}
