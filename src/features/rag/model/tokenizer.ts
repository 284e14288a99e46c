import {
  indexedCharacters,
  indexedDenseWord,
  isHan,
  isHangul,
  pairsOf,
  removeParticle,
  segmentWords,
} from './dense-words.js';
import { isStopWord } from './stop-words.js';
import { type AnalyzedWord, analyzeWord, cutTerm, markFolded, type WordForms } from './word-forms.js';
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

/** A term of a question. */
export interface QueryTerm {
  readonly term: string;
  /** Factor of its score. */
  readonly weight: number;
  /** Position of the word in the question: forms of one word share it, and the best form counts. */
  readonly word: number;
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
  const query = new QueryBuilder();
  for (const word of kept) query.addWord(analyzeWord(word));
  query.addDenseRuns(dense);
  return query.terms;
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
  readonly terms: QueryTerm[] = [];
  private readonly known = new Set<string>();
  private words = 0;

  addWord({ spellings, parts }: AnalyzedWord): void {
    this.add(spellings.flatMap((forms) => searchedForms(forms, 1)));
    for (const part of parts) this.add(searchedForms(part, WEIGHTS.part));
  }

  addDenseRuns(runs: readonly string[]): void {
    for (const run of runs) {
      const words = segmentWords([run]);
      for (const word of words) this.addDenseWord(word);
      this.addCrossingPairs(words);
    }
  }

  private addDenseWord(word: string): void {
    const forms = isHangul(word) ? [word, removeParticle(word)] : [word];
    this.add(forms.map((term) => ({ term: cutTerm(term), weight: 1 })));
    const noun = forms.at(-1) ?? word;
    if (!isHan(noun) && !isHangul(noun)) return;
    for (const pair of pairsOf(noun)) this.add([{ term: pair, weight: WEIGHTS.pair }]);
  }

  private addCrossingPairs(words: readonly string[]): void {
    for (const [index, word] of words.slice(1).entries()) {
      const pair = (Array.from(words[index] ?? '').at(-1) ?? '') + (Array.from(word)[0] ?? '');
      if (isHan(pair)) this.add([{ term: pair, weight: WEIGHTS.crossing }]);
    }
  }

  /** Adds the forms of one word. */
  private add(forms: readonly { readonly term: string; readonly weight: number }[]): void {
    if (this.words >= MAX_QUERY_WORDS) return;
    const added = forms.filter(({ term }) => term !== '' && !this.known.has(term));
    if (added.length === 0) return;
    for (const { term, weight } of added) {
      if (this.known.has(term)) continue;
      this.known.add(term);
      this.terms.push({ term, weight, word: this.words });
    }
    this.words += 1;
  }
}

/** Returns the terms of a spelling: as it stands, with other diacritics or none, and with another ending. */
function searchedForms(
  { exact, folded, prefix }: WordForms,
  weight: number,
): { term: string; weight: number }[] {
  const other = weight * WEIGHTS.folded;
  const forms = [{ term: exact, weight }];
  if (folded !== undefined) forms.push({ term: folded, weight: other });
  if (folded !== undefined || LETTERS_ONLY.test(exact))
    forms.push({ term: markFolded(folded ?? exact), weight: other });
  if (prefix !== undefined) forms.push({ term: prefix, weight: weight * WEIGHTS.prefix });
  return forms;
}
