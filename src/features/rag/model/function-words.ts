import { foldDiacritics } from './fold-diacritics.js';
import { AMBIGUOUS_WORDS, DENSE_FUNCTION_WORDS, FUNCTION_WORDS } from './function-word-lists.js';
import { removeContraction } from './word-forms.js';
import { normalizeForms } from './word-scanner.js';

/** Separates the parts of elided and compound words: `l'hôtel`, `qu'est-ce`. */
const JOINER = /[-'’‐‑]/;

/** A letter of a script without spaces that is no word if it stands alone. */
const SINGLE_LETTER = /^[^\p{sc=Han}\p{sc=Hangul}]$/u;

/** The rest of a word before an apostrophe, as in `l'hôtel`, or after it. */
const ELIDED = /^[cdjlmnst]$/;

/** Pronouns that German capitalizes to be polite. */
const POLITE = /^(?:sie|ihnen|ihr(?:e[mnrs]?)?)$/;

const CONTRACTED_NOT = /^(\p{L}+)n't$/iu;
/** Verbs that "not" changes. */
const VERBS_BEFORE_NOT: ReadonlyMap<string, string> = new Map([
  ['ai', 'is'],
  ['ca', 'can'],
  ['sha', 'shall'],
  ['wo', 'will'],
]);

const SENTENCE_END = /[.!?…:\n]+/;
const FIRST_WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/u;
const LOWER_CASE_START = /^\p{Ll}/u;

/** A letter that is no capital. */
const OTHER_LETTER = /[\p{Ll}\p{Lo}]/u;

/** Letters that only Vietnamese has. */
const VIETNAMESE = /[ơưƠƯ\u1EA0-\u1EF9]/;

const ENGLISH = 'english';
const GERMAN = 'german';
const VIETNAMESE_NAME = 'vietnamese';

/** Number of votes from which a language is clear. */
const CLEAR_VOTES = 2;

const AMBIGUOUS = new Set(AMBIGUOUS_WORDS.split(/\s+/));
const denseFunctionWords = new Set(DENSE_FUNCTION_WORDS.split(/\s+/).map(normalizeForms));
/** The languages of each function word as it is spelled, and without its diacritics. */
const languages = indexLanguages((word) => word);
const foldedLanguages = indexLanguages(foldDiacritics);

/** The languages that a question seems to be in. */
interface FoundLanguages {
  readonly spoken: readonly string[];
  /** Number of words that show it. */
  readonly votes: number;
  /** True if it is clearly English. */
  readonly isEnglish: boolean;
}

/**
 * The language of a question in a script with spaces, as far as its function words show it: it is the one that most words
 * are function words of. So "die" and "war" are function words in a German question, and content words in an English one.
 * English needs fewer words than others, because many names are function words somewhere: Ben, Kim, Dan.
 */
export class QuestionLanguage {
  /**
   * True if words without diacritics may be those with some: people who write Vietnamese or Spanish without them leave them
   * all out, except perhaps in one word that they have copied, or that another language has.
   */
  readonly isTolerant: boolean;
  /** True if the question is in Vietnamese with diacritics, where words that differ in them have nothing in common. */
  readonly isVietnamese: boolean;
  /** True unless the question is clearly in English, which has its stems, or in Vietnamese, where words have one form. */
  readonly isInflected: boolean;
  /** The language; several if they have equally many of the words. */
  private readonly spoken: ReadonlySet<string>;
  /** True if words in capitals are acronyms, because not all of the question is in capitals. */
  private readonly hasAcronyms: boolean;
  /** True if more than one word shows the language. */
  private readonly isClear: boolean;
  /** True if capitals distinguish names from other words, because there are words in lower case. */
  private readonly hasSentenceCase: boolean;
  /** The words that begin a sentence, and are capitalized for that. */
  private readonly firstWords: ReadonlySet<string>;

  /**
   * @param words words of the question in their own case and in NFKC
   * @param question text of the question, for the beginnings of its sentences
   */
  constructor(words: readonly string[], question: string) {
    this.hasAcronyms = OTHER_LETTER.test(question);
    const parts = new Set(words.flatMap((word) => this.splitWord(word)));
    this.isTolerant = words.filter(hasDiacritics).length <= 1;
    this.isVietnamese = words.some((word) => VIETNAMESE.test(word));
    this.hasSentenceCase = words.some((word) => LOWER_CASE_START.test(word));
    this.firstWords = new Set(
      normalizeForms(question)
        .split(SENTENCE_END)
        .map((sentence) => FIRST_WORD.exec(sentence)?.[0] ?? ''),
    );
    const { spoken, votes, isEnglish } = this.isVietnamese
      ? { spoken: [VIETNAMESE_NAME], votes: CLEAR_VOTES, isEnglish: false }
      : this.findSpoken(parts);
    this.spoken = new Set(spoken);
    this.isClear = votes >= CLEAR_VOTES;
    this.isInflected = !isEnglish && spoken.join(' ') !== VIETNAMESE_NAME;
  }

  /** Returns true if a word, or each part of it, is a function word. `IT` and, in Vietnamese, `AI` are acronyms. */
  isFunctionWord(word: string): boolean {
    const parts = this.splitWord(word);
    return (
      parts.length > 0 &&
      parts.every((part) => this.languagesOf(part).some((language) => this.isSpoken(language, part)))
    );
  }

  /**
   * Finds the languages that have most of the function words. English is spoken unless another language has at least twice
   * as many words that English does not have, as English has words that the other does not have. It is clearly spoken if
   * it has words that the other does not have, and no fewer than those.
   */
  private findSpoken(parts: Iterable<string>): FoundLanguages {
    const foreign = new Map<string, number>();
    const shared = new Map<string, number>();
    let english = 0;
    for (const part of parts) {
      const found = this.languagesOf(part);
      const isEnglish = found.includes(ENGLISH);
      if (isEnglish) english += 1;
      else if (!this.isForeignVote(part)) continue;
      const counts = isEnglish ? shared : foreign;
      for (const language of found)
        if (language !== ENGLISH) counts.set(language, (counts.get(language) ?? 0) + 1);
    }
    const heard = Array.from(foreign).filter(
      ([language, votes]) => votes >= 2 * (english - (shared.get(language) ?? 0)),
    );
    const votes = Math.max(0, ...heard.map(([, count]) => count));
    const spoken = heard.flatMap(([language, count]) => (count === votes ? [language] : []));
    if (spoken.length > 0) return { spoken, votes, isEnglish: false };
    const isEnglish =
      english > Math.max(0, ...shared.values(), ...Array.from(foreign.values(), (count) => count - 1));
    return { spoken: [ENGLISH], votes: english, isEnglish };
  }

  private isForeignVote(part: string): boolean {
    return !this.mayBeName(part) && !ELIDED.test(part) && !AMBIGUOUS.has(foldDiacritics(part.toLowerCase()));
  }

  private languagesOf(part: string): readonly string[] {
    const known = this.isTolerant && !hasDiacritics(part) ? foldedLanguages : languages;
    return known.get(part.toLowerCase()) ?? [];
  }

  /** Returns the parts of a word in its own case; none of an acronym. */
  private splitWord(word: string): string[] {
    const isAcronym =
      this.hasAcronyms && word.length > 1 && word === word.toUpperCase() && word !== word.toLowerCase();
    return isAcronym
      ? []
      : removeNot(removeContraction(word))
          .split(JOINER)
          .filter((part) => part !== '');
  }

  /** Returns true if a word is capitalized, and neither for the beginning of a sentence nor as all words are. */
  private mayBeName(part: string): boolean {
    return this.hasSentenceCase && !this.firstWords.has(part) && part !== part.toLowerCase();
  }

  private isSpoken(language: string, part: string): boolean {
    if (!this.spoken.has(language)) return false;
    if (language === ENGLISH || !this.mayBeName(part)) return true;
    // Nouns are capitalized in German, but function words are not.
    return this.isClear && (language !== GERMAN || POLITE.test(part.toLowerCase()));
  }
}

/** Returns true for function words and single letters of scripts without spaces, and for function words of Korean. */
export function isDenseFunctionWord(word: string): boolean {
  return denseFunctionWords.has(word) || SINGLE_LETTER.test(word);
}

function hasDiacritics(word: string): boolean {
  const lower = word.toLowerCase();
  return lower !== foldDiacritics(lower);
}

function removeNot(word: string): string {
  const verb = CONTRACTED_NOT.exec(word)?.[1];
  return verb === undefined ? word : (VERBS_BEFORE_NOT.get(verb.toLowerCase()) ?? verb);
}

function indexLanguages(spell: (word: string) => string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [language, words] of Object.entries(FUNCTION_WORDS))
    for (const word of new Set(words.split(/\s+/).map((one) => spell(normalizeForms(one)))))
      found.set(word, [...(found.get(word) ?? []), language]);
  return found;
}
