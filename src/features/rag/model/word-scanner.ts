/*
 * Splits texts into words. Scripts with spaces and those without are separated here; the words of the latter are found
 * by dictionary in script-words.ts.
 */

/** Length of the pieces in which a text is scanned, in UTF-16 units, so that no run of letters exhausts a stack. */
const PIECE_UNITS = 65_536;

/** Characters of scripts whose words need a dictionary, or are not separated by spaces from particles (Hangul). */
const DENSE = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}ー\p{sc=Bopomofo}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}`;

/** Characters that join the parts of an identifier, an address, a path or a number: `ABC-123.4`, `a_b`, `x@y.org`. */
const JOINERS = String.raw`\-‐‑._@\/:'’+#&`;

const PLAIN = String.raw`[[\p{L}\p{N}\p{M}]--[${DENSE}]]`;
/** A word that is divided at the end of a line. */
const HYPHENATION = String.raw`(?<=\p{Ll})-\n(?=\p{Ll})`;
const COMMA_IN_NUMBER = String.raw`(?<=\p{Nd}),(?=\p{Nd})`;
/** `C++`, `C#` and the like. */
const LANGUAGE_NAME = '[A-Za-z](?:\\+\\+|#(?![A-Za-z0-9]))';
const WORDS = new RegExp(
  String.raw`[[${DENSE}]&&[\p{L}\p{N}\p{M}]]+|${LANGUAGE_NAME}|${PLAIN}+(?:(?:[${JOINERS}]|${COMMA_IN_NUMBER}|${HYPHENATION})${PLAIN}+)*`,
  'gv',
);
const ASCII_WORDS = new RegExp(
  String.raw`${LANGUAGE_NAME}|[A-Za-z0-9]+(?:(?:[\-._@\/:'+#&]|${COMMA_IN_NUMBER}|${HYPHENATION})[A-Za-z0-9]+)*`,
  'gv',
);
const DENSE_START = new RegExp(`^[${DENSE}]`, 'v');
// eslint-disable-next-line no-control-regex -- the range is all of ASCII
const ASCII_ONLY = /^[\x00-\x7f]*$/;

/**
 * Normalizing takes time quadratic in the number of consecutive combining marks, and a text may consist of nothing else.
 */
const EXCESS_MARKS = /(\p{M}{16})\p{M}+/gu;

/** Vowels of Thai and Lao that compatibility decomposes, which the dictionaries do not know. */
const THAI_AM = /\u0E4D\u0E32/g;
const LAO_AM = /\u0ECD\u0EB2/g;

/** Soft hyphens, joiners and other characters that are invisible within a word. */
const INVISIBLE = /\u00AD|[\u200B-\u200F]|\u2060|[\uFE00-\uFE0F]|\uFEFF/g;

/** Words of a text, without those that only a dictionary finds. */
export interface ScannedWords {
  /** In the text's own case; with the characters that join their parts. */
  readonly plain: readonly string[];
  /** Runs of characters of scripts without spaces. */
  readonly dense: readonly string[];
}

/** Finds the words of a text. Compatible forms of characters (full-width letters, ligatures) become equal. */
export function scanWords(text: string): ScannedWords {
  const plain: string[] = [];
  const dense: string[] = [];
  for (const piece of piecesOf(text)) {
    if (ASCII_ONLY.test(piece)) {
      for (const word of piece.match(ASCII_WORDS) ?? []) plain.push(word);
      continue;
    }
    for (const word of normalizeForms(piece).match(WORDS) ?? [])
      (DENSE_START.test(word) ? dense : plain).push(word);
  }
  return { plain, dense };
}

/** Returns a text in NFKC, with the vowels that dictionaries know, and without invisible characters. */
export function normalizeForms(text: string): string {
  return text
    .replace(EXCESS_MARKS, '$1')
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .replace(THAI_AM, '\u0E33')
    .replace(LAO_AM, '\u0EB3');
}

/** Splits a long text, after white space if possible. */
function* piecesOf(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > PIECE_UNITS) {
    const piece = text.slice(start, start + PIECE_UNITS);
    const space = Math.max(piece.lastIndexOf(' '), piece.lastIndexOf('\n'));
    const end = space > 0 ? space + 1 : endOfWholeCharacter(piece);
    yield piece.slice(0, end);
    start += end;
  }
  yield text.slice(start);
}

function endOfWholeCharacter(piece: string): number {
  const last = piece.charCodeAt(piece.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? piece.length - 1 : piece.length;
}
