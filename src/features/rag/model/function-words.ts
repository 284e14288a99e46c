import { foldDiacritics } from './fold-diacritics.js';
import { AMBIGUOUS_WORDS, DENSE_FUNCTION_WORDS, FUNCTION_WORDS } from './function-word-lists.js';
import { normalizeForms } from './word-scanner.js';

/** Separates the parts of elided and compound words: `l'hôtel`, `qu'est-ce`. */
const JOINER = /[-'’‐‑]/;

/** A letter of a script without spaces that is no word if it stands alone. */
const SINGLE_LETTER = /^[^\p{sc=Han}\p{sc=Hangul}]$/u;

/** Letters that only Vietnamese has. */
const VIETNAMESE = /[ơưƠƯ\u1EA0-\u1EF9]/;

const ENGLISH = 'english';
const AMBIGUOUS = new Set(AMBIGUOUS_WORDS.split(/\s+/));
const denseFunctionWords = new Set(DENSE_FUNCTION_WORDS.split(/\s+/).map(normalizeForms));
/** The languages of each function word as it is spelled, and without its diacritics. */
const languages = indexLanguages((word) => word);
const foldedLanguages = indexLanguages(foldDiacritics);

/**
 * The language of a question in a script with spaces, as far as its function words show it: it is the one that most words
 * are function words of. So "die" and "war" are function words in a German question, and content words in an English one.
 */
export class QuestionLanguage {
  /** True if no word has diacritics: people who write Vietnamese or Spanish without them leave them all out. */
  readonly isFolded: boolean;
  /** True if the question is in Vietnamese with diacritics, where words that differ in them have nothing in common. */
  readonly isVietnamese: boolean;
  private readonly known: ReadonlyMap<string, readonly string[]>;
  /** The language; several if they have equally many of the words. */
  private readonly spoken: ReadonlySet<string>;

  /** @param words words of the question in their own case and in NFKC */
  constructor(words: readonly string[]) {
    const parts = new Set(words.flatMap(splitWord));
    this.isFolded = Array.from(parts).every((word) => word === foldDiacritics(word));
    this.isVietnamese = words.some((word) => VIETNAMESE.test(word));
    this.known = this.isFolded ? foldedLanguages : languages;
    if (this.isVietnamese) {
      this.spoken = new Set(['vietnamese']);
      return;
    }
    const votes = new Map<string, number>();
    for (const word of parts)
      if (!AMBIGUOUS.has(foldDiacritics(word)))
        for (const language of this.known.get(word) ?? [])
          votes.set(language, (votes.get(language) ?? 0) + 1);
    const most = Math.max(0, ...votes.values());
    this.spoken = new Set(
      Array.from(votes).flatMap(([language, count]) => (count === most ? [language] : [])),
    );
  }

  /** Returns true if a word, or each part of it, is a function word. `IT` and, in Vietnamese, `AI` are acronyms. */
  isFunctionWord(word: string): boolean {
    const parts = splitWord(word);
    return (
      parts.length > 0 &&
      parts.every((part) => this.known.get(part)?.some((language) => this.isSpoken(language, part)) === true)
    );
  }

  private isSpoken(language: string, word: string): boolean {
    const isEnglish = this.spoken.has(ENGLISH) && AMBIGUOUS.has(word);
    return this.spoken.has(language) && (!isEnglish || language === ENGLISH);
  }
}

/** Returns true for function words and single letters of scripts without spaces, and for function words of Korean. */
export function isDenseFunctionWord(word: string): boolean {
  return denseFunctionWords.has(word) || SINGLE_LETTER.test(word);
}

/** Returns the parts of a word in lower case; none of an acronym. */
function splitWord(word: string): string[] {
  const isAcronym = word.length > 1 && word === word.toUpperCase() && word !== word.toLowerCase();
  return isAcronym
    ? []
    : word
        .toLowerCase()
        .split(JOINER)
        .filter((part) => part !== '');
}

function indexLanguages(spell: (word: string) => string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [language, words] of Object.entries(FUNCTION_WORDS))
    for (const word of new Set(words.split(/\s+/).map((one) => spell(normalizeForms(one)))))
      found.set(word, [...(found.get(word) ?? []), language]);
  return found;
}
