/** Maximum length of a file name, in UTF-16 units. */
const MAX_LENGTH = 255;

/** Maximum length of an extension that survives truncation, including its dot, in UTF-16 units. */
const MAX_ENDING = 20;

/** Name of a file whose own name contains nothing that can be shown. */
const DEFAULT_NAME = 'file';

/**
 * Control characters, line breaks, bidirectional controls, which could disguise an extension, and lone surrogates.
 */
const INVISIBLE_CHARACTERS = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/**
 * Returns a file name for display: without folders and invisible characters, at most 255 UTF-16 units long. It is
 * never used in a path.
 */
export function toFileName(given: string): string {
  const last = given.split(/[/\\]/).at(-1) ?? '';
  const name = last.replace(INVISIBLE_CHARACTERS, '').trim();
  if (name === '' || name === '.' || name === '..') return DEFAULT_NAME;
  return shortened(name);
}

/** Truncates a name before its extension, by which people and programs recognize its type. */
function shortened(name: string): string {
  if (name.length <= MAX_LENGTH) return name;
  const dot = name.lastIndexOf('.');
  const ending = name.length - dot <= MAX_ENDING ? name.slice(dot) : '';
  const beginning = name.slice(0, MAX_LENGTH - ending.length);
  // Do not split a surrogate pair.
  return (beginning.isWellFormed() ? beginning : beginning.slice(0, -1)) + ending;
}
