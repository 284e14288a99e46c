import {
  indexedCharacters,
  indexedDenseWord,
  isHan,
  isHangul,
  pairsOf,
  removeParticle,
  segmentWords,
} from './dense-words.js';
import { isDenseFunctionWord, QuestionLanguage } from './function-words.js';
import { type TermKind, type TermMatch, withEvidence } from './relevance.js';
import { isStopWord } from './stop-words.js';
import { analyzeWord, cutTerm, markFolded, removeContraction, type WordForms } from './word-forms.js';
import { scanWords } from './word-scanner.js';

export { hashTerm } from './term-hash.js';

/** Version of the terms. An index of another version must be built again before it is searched with these. */
export const TOKENIZER_VERSION = 1;

/** Maximum number of words of a question that are searched; its first ones. */
const MAX_QUERY_WORDS = 128;

/**
 * Weights of the terms of a question, relative to a word that is found as it stands. Measured with
 * bench/retrieval/lexical.mjs.
 */
const WEIGHTS = {
  /** The word with other diacritics. */
  folded: 0.3,
  /** Another word with the same first letters. */
  prefix: 0.4,
  /** A part of an identifier or a compound. */
  part: 0.6,
  /** A pair of characters within a word. */
  pair: 0.5,
  /** A pair of characters of two words. */
  crossing: 0.3,
} as const;

const SINGLE_CHARACTER = /^.$/u;

/** Words that may be found with other diacritics: identifiers have none. */
const LETTERS_ONLY = /^[\p{L}\p{M}]+$/u;

/** Maximum number of words whose terms are remembered, and their maximum length. */
const MAX_CACHED_WORDS = 50_000;
const MAX_CACHED_UNITS = 32;

/** Share of the most frequent English word from which a text is English: its stems are enough. */
const ENGLISH_SHARE = 0.01;
const ENGLISH_WORD = /^the$/i;

/** The terms of a word in an index. */
interface IndexedTerms {
  readonly forms: readonly string[];
  readonly prefixes: readonly string[];
}

const cachedTerms = new Map<string, IndexedTerms>();

/** The terms of a text. */
export interface TermFrequencies {
  /** Number of occurrences of each term. */
  readonly frequencies: ReadonlyMap<string, number>;
  /** Number of words, for the normalization by length: other forms and parts of a word do not count. */
  readonly length: number;
}

/** A term of a question. Forms of one word share its position, and the best form counts. */
export interface QueryTerm extends TermMatch {
  readonly term: string;
  /** Factor of its score. */
  readonly weight: number;
}

/** A term of a word of a question. */
interface WordTerm extends Pick<QueryTerm, 'term' | 'weight'> {
  readonly kind: TermKind;
  /** The word that a term with a position of its own is a part of. */
  readonly partOf?: number | undefined;
}

/** Returns the terms of a text with their frequencies, and the length of the text in words. */
export function termFrequencies(text: string): TermFrequencies {
  const { plain, dense } = scanWords(text);
  const frequencies = new Map<string, number>();
  const count = (term: string): unknown => frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
  const isEnglish = isEnglishText(plain);
  for (const word of plain) {
    const { forms, prefixes } = indexedTerms(word);
    forms.forEach(count);
    if (!isEnglish) prefixes.forEach(count);
  }
  if (dense.length === 0) return { frequencies, length: plain.length };
  const words = segmentWords(dense);
  for (const word of words) for (const term of indexedDenseWord(word)) count(cutTerm(term));
  for (const run of dense) for (const term of indexedCharacters(run)) count(term);
  return { frequencies, length: plain.length + words.length };
}

/** Returns the terms by which a question is searched. English stop words are removed unless nothing else is left. */
export function queryTerms(question: string): readonly QueryTerm[] {
  const { plain, dense } = scanWords(question);
  const content = plain.filter((word) => !isStopWord(word));
  const kept = content.length > 0 || dense.length > 0 ? content : plain;
  const query = new QueryBuilder(new QuestionLanguage(plain.slice(0, MAX_QUERY_WORDS), question));
  for (const word of new Set(kept)) query.addWord(word);
  query.addDenseRuns(dense);
  return withEvidence(query.terms).map(({ term, weight, word, evidence }) => ({
    term,
    weight,
    word,
    evidence,
  }));
}

function isEnglishText(words: readonly string[]): boolean {
  const found = words.reduce((sum, word) => sum + (ENGLISH_WORD.test(word) ? 1 : 0), 0);
  return found > 0 && found >= words.length * ENGLISH_SHARE;
}

/** Returns the terms of a word in an index, each once. */
function indexedTerms(word: string): IndexedTerms {
  const cached = cachedTerms.get(word);
  if (cached !== undefined) return cached;
  const { spellings, parts } = analyzeWord(word);
  const forms = new Set<string>();
  const prefixes = new Set<string>();
  for (const { exact, folded, prefix } of [...spellings, ...parts]) {
    forms.add(exact);
    if (folded !== undefined) forms.add(markFolded(folded));
    if (prefix !== undefined) prefixes.add(prefix);
  }
  const terms = { forms: Array.from(forms), prefixes: Array.from(prefixes) };
  if (word.length <= MAX_CACHED_UNITS) {
    if (cachedTerms.size >= MAX_CACHED_WORDS) cachedTerms.clear();
    // A copy, because a part of a string keeps all of it in memory.
    cachedTerms.set(Buffer.from(word, 'utf16le').toString('utf16le'), terms);
  }
  return terms;
}

/** Collects the terms of a question; each term once, with its highest weight. */
class QueryBuilder {
  readonly terms: (WordTerm & { readonly word: number })[] = [];
  /** Position of each term. */
  private readonly known = new Map<string, number>();
  private words = 0;

  constructor(private readonly language: QuestionLanguage) {}

  addWord(word: string): void {
    const { spellings, parts } = analyzeWord(word);
    const isFunction = this.language.isFunctionWord(word) || isStopWord(removeContraction(word));
    const kind = isFunction ? 'function' : 'content';
    this.add(spellings.flatMap((forms) => this.searchedForms(forms, 1, kind)));
    for (const part of parts) {
      const isContent = kind === 'content' && !SINGLE_CHARACTER.test(part.word);
      const isFunctionWord = !isContent || this.language.isFunctionWord(part.word);
      this.add(this.searchedForms(part, WEIGHTS.part, isFunctionWord ? 'function' : 'content'));
    }
  }

  addDenseRuns(runs: readonly string[]): void {
    for (const run of runs) {
      const words = segmentWords([run]);
      for (const [index, word] of words.entries()) {
        const isAlone = [words[index - 1], words[index + 1]].every(
          (other) => other === undefined || isDenseFunctionWord(other),
        );
        this.addDenseWord(word, isAlone);
      }
      this.addCrossingPairs(words);
    }
  }

  /** @param isAlone true if there is no content word before and after it */
  private addDenseWord(word: string, isAlone: boolean): void {
    const noun = isHangul(word) ? removeParticle(word) : word;
    const kind = denseKind(word, noun, isAlone);
    const forms = [{ term: cutTerm(word), weight: 1, kind }];
    if (isHangul(word))
      forms.push({ term: cutTerm(noun), weight: 1, kind: isDenseFunctionWord(noun) ? 'function' : kind });
    this.add(forms);
    if (!isHan(noun) && !isHangul(noun)) return;
    const position = this.known.get(cutTerm(word));
    const partOf = position === undefined ? undefined : this.terms[position]?.word;
    for (const pair of pairsOf(noun))
      this.add([{ term: pair, weight: WEIGHTS.pair, kind: kind === 'function' ? kind : 'form', partOf }]);
  }

  private addCrossingPairs(words: readonly string[]): void {
    for (const [index, word] of words.slice(1).entries()) {
      const previous = words[index] ?? '';
      const pair = (Array.from(previous).at(-1) ?? '') + (Array.from(word)[0] ?? '');
      const kind = [previous, word].some(isDenseFunctionWord) ? 'function' : 'form';
      if (isHan(pair)) this.add([{ term: pair, weight: WEIGHTS.crossing, kind }]);
    }
  }

  /** Returns the terms of a spelling: as it stands, with other diacritics or none, and with another ending. */
  private searchedForms(
    { exact, folded, prefix }: WordForms,
    weight: number,
    kind: 'content' | 'function',
  ): WordTerm[] {
    const { isTolerant, isVietnamese, isInflected } = this.language;
    const isContent = kind === 'content';
    const form = isContent ? 'form' : kind;
    // Syllables of Vietnamese that differ in their diacritics are as unlike as other words.
    const unlike = isContent && isVietnamese ? 'fragment' : form;
    const inflection = isContent && isInflected ? 'inflection' : unlike;
    const other = weight * WEIGHTS.folded;
    const forms: WordTerm[] = [{ term: exact, weight, kind }];
    if (folded !== undefined) {
      const plain = isVietnamese ? form : kind;
      const isFunctionWord = this.language.isFunctionWord(folded);
      forms.push({ term: folded, weight: other, kind: isFunctionWord ? 'function' : plain });
      forms.push({ term: markFolded(folded), weight: other, kind: unlike });
    } else if (LETTERS_ONLY.test(exact))
      forms.push({ term: markFolded(exact), weight: other, kind: isTolerant ? kind : form });
    if (prefix !== undefined) forms.push({ term: prefix, weight: weight * WEIGHTS.prefix, kind: inflection });
    return forms;
  }

  /** Adds the forms of one word. */
  private add(forms: readonly WordTerm[]): void {
    if (this.words >= MAX_QUERY_WORDS) return;
    const count = this.terms.length;
    for (const form of forms) {
      const position = this.known.get(form.term);
      if (position !== undefined) this.markContent(position, form);
      else if (form.term !== '') {
        this.known.set(form.term, this.terms.length);
        this.terms.push({ ...form, word: this.words });
      }
    }
    if (this.terms.length > count) this.words += 1;
  }

  /** Notes that a term, which a word before has as a form or a part, is a content word or its inflection too. */
  private markContent(position: number, { kind }: WordTerm): void {
    const known = this.terms[position];
    if (known === undefined || known.kind === 'content') return;
    if (kind === 'content' || kind === 'inflection') this.terms[position] = { ...known, kind };
  }
}

function denseKind(word: string, noun: string, isAlone: boolean): TermKind {
  // A noun of one syllable may be the beginning of a word that ends like a particle.
  if (isDenseFunctionWord(word) || (noun.length > 1 && isDenseFunctionWord(noun))) return 'function';
  // Dictionaries divide names that they do not have into characters.
  return isHan(word) && SINGLE_CHARACTER.test(word) && !isAlone ? 'fragment' : 'content';
}
