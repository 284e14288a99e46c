import { stemEnglish } from './english-stemmer.js';
import { foldDiacritics } from './fold-diacritics.js';

/** Maximum length of a term, in UTF-16 units. */
const MAX_TERM_UNITS = 64;

/** Begins the terms of words whose diacritics are removed: those that are written without any are other terms. */
const FOLDED_MARK = '~';

/** Begins the terms of the first letters of words. */
const PREFIX_MARK = '^';

/** Letters that inflected forms of a word share in most languages. */
const PREFIX_LETTERS = 5;

/** Articles and conjunctions that Arabic writes together with the word. */
const ARABIC_ARTICLE = /^(?:[وبكف]?ال|لل)(?=\p{L}{3})/u;

const ARABIC_START = /^\p{sc=Arabic}/u;

const LETTERS_ONLY = /^[\p{L}\p{M}]+$/u;
const ENGLISH_WORD = /^[a-z']+$/;
// eslint-disable-next-line no-control-regex -- the range is all of ASCII
const ASCII_ONLY = /^[\x00-\x7f]*$/;
const JOINER = /(?:[-._@/:'+#&,]\n?)+/;
const ADDRESS_JOINER = /[@/:]/;
const HUMP = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;
/** A number with its unit, or a name with its number: `10km`, `covid19`. */
const NUMBERED = /(?<=^\p{Nd}+)(?=\p{L}+$)|(?<=^\p{L}{2,})(?=\p{Nd}+$)/u;
const PLAIN_NUMBER = /^\p{Nd}+(?:,\p{Nd}{3})*(?:\.\p{Nd}+)?$/u;
const CONTRACTION = /'(?:s|d|m|re|ve|ll)$/i;
const CONTRACTED_NOT = /^[a-z]+n't$/i;
const LANGUAGE_NAME = /^[a-z](?:\+\+|#)$/i;
/** Two parts that are often written as one word, or that a line end has divided. */
const TWO_PARTS = /^([\p{L}\p{M}]+)[-'](?:\n)?([\p{L}\p{M}]+)$/u;

/** The terms of one spelling of a word. */
export interface WordForms {
  /** The spelling, in lower case. */
  readonly word: string;
  /** The spelling itself, or its stem if it may be English. */
  readonly exact: string;
  /** The spelling without diacritics; undefined if it has none. */
  readonly folded: string | undefined;
  /**
   * The first letters of the word without diacritics, by which its inflected forms are found in languages that have no
   * stemmer here; undefined for short words and for identifiers.
   */
  readonly prefix: string | undefined;
}

/** A word, and the words that it contains. */
export interface AnalyzedWord {
  /** The whole word, and other spellings of it. */
  readonly spellings: readonly WordForms[];
  /** Parts of an identifier, an address or a compound; empty for a simple word. */
  readonly parts: readonly WordForms[];
}

/** Analyzes a word of a script with spaces, in its own case and in NFKC. */
export function analyzeWord(text: string): AnalyzedWord {
  const word = removeContraction(text.replace(/[‐‑]/g, '-'));
  const parts = splitParts(word).map((part) => toForms(part.toLowerCase()));
  const whole = word.replace('\n', '').toLowerCase();
  const spellings = [whole, ...otherSpellings(word)].map(toForms);
  return { spellings, parts };
}

/** Returns the term of a word whose diacritics were removed. */
export function markFolded(folded: string): string {
  return FOLDED_MARK + folded;
}

/** Returns a word with straight apostrophes, and without the end of a contraction: `what` of `what’s`. */
export function removeContraction(word: string): string {
  const straight = word.replaceAll('’', "'");
  return CONTRACTION.test(straight) ? straight.replace(CONTRACTION, '') : straight;
}

/** Cuts a term to its maximum length, between characters. */
export function cutTerm(term: string): string {
  if (term.length <= MAX_TERM_UNITS) return term;
  const cut = term.slice(0, MAX_TERM_UNITS);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

function splitParts(word: string): string[] {
  if (PLAIN_NUMBER.test(word) || CONTRACTED_NOT.test(word) || LANGUAGE_NAME.test(word)) return [];
  const joined = word.split(JOINER);
  const parts = new Set(joined);
  for (const part of joined)
    for (const subpart of [...part.split(HUMP), ...splitNumber(part)]) parts.add(subpart);
  if (joined.length === 1 && parts.size === 1) return [];
  for (const part of word.split(ADDRESS_JOINER)) parts.add(part);
  return Array.from(parts).filter((part) => part !== '' && part !== word);
}

function splitNumber(word: string): string[] {
  return word.length <= MAX_TERM_UNITS ? word.split(NUMBERED) : [];
}

function otherSpellings(word: string): string[] {
  if (PLAIN_NUMBER.test(word)) return word.includes(',') ? [word.replaceAll(',', '')] : [];
  const [, first, second] = TWO_PARTS.exec(word) ?? [];
  if (first === undefined || second === undefined || CONTRACTED_NOT.test(word)) return [];
  return [(first + second).toLowerCase()];
}

function toForms(spelling: string): WordForms {
  const word = cutTerm(spelling).replaceAll('ς', 'σ');
  if (ASCII_ONLY.test(word)) {
    const exact = stem(word);
    return { word: spelling, exact, folded: undefined, prefix: prefixOf(exact) };
  }
  const plain = foldDiacritics(word);
  const folded = cutTerm(stem(plain));
  return {
    word: spelling,
    exact: word,
    folded: plain === word ? undefined : folded,
    prefix: prefixOf(folded),
  };
}

function prefixOf(word: string): string | undefined {
  const letters = Array.from(word.replace(ARABIC_ARTICLE, ''));
  // Short Arabic words too, because the same word may stand elsewhere with an article.
  const isLong = letters.length >= PREFIX_LETTERS || ARABIC_START.test(word);
  if (!isLong || !LETTERS_ONLY.test(word)) return undefined;
  return PREFIX_MARK + letters.slice(0, PREFIX_LETTERS).join('');
}

function stem(word: string): string {
  return ENGLISH_WORD.test(word) ? stemEnglish(word) : word;
}
