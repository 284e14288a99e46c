/** Longest name that is kept, in UTF-16 units. */
const MAX_LENGTH = 255;

/** Longest ending that a cut spares, its dot included, in UTF-16 units. */
const MAX_ENDING = 20;

/** What a file is called whose name holds nothing that can be shown. */
const NAMELESS = 'file';

/** Control characters, line breaks, what turns the direction of writing and so can hide an ending, halves of characters. */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/**
 * A file's name as it is shown: without folders and unseen characters, 255 UTF-16 units long at the most. It is never
 * part of a path.
 */
export function toFileName(given: string): string {
  const last = given.split(/[/\\]/).at(-1) ?? '';
  const name = last.replace(UNSEEN, '').trim();
  if (name === '' || name === '.' || name === '..') return NAMELESS;
  return shortened(name);
}

/** Cut in front of its ending, by which people and programs know what it is. */
function shortened(name: string): string {
  if (name.length <= MAX_LENGTH) return name;
  const dot = name.lastIndexOf('.');
  const ending = name.length - dot <= MAX_ENDING ? name.slice(dot) : '';
  const beginning = name.slice(0, MAX_LENGTH - ending.length);
  // Not through a surrogate pair.
  return (beginning.isWellFormed() ? beginning : beginning.slice(0, -1)) + ending;
}
