/** A half-open range of a text, in UTF-16 units. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** An excerpt of a text, with the positions of the search terms in it. */
export interface Snippet {
  readonly text: string;
  readonly highlights: readonly Range[];
}

/** Approximate length of a snippet, and maximum length of the text before the first hit, in UTF-16 units. */
const SNIPPET_LENGTH = 160;
const LEAD_LENGTH = 40;

/** Words are compared by their first 64 characters, as in the index. */
const WORD_LENGTH = 64;

/**
 * Maximum length of a word or character that is examined, in UTF-16 units. Normalizing takes time quadratic in the
 * number of consecutive combining marks, and a text may consist of nothing else.
 */
const MAX_EXAMINED_LENGTH = 256;

const WORDS = /[\p{L}\p{N}\p{M}\u00AD\u200B-\u200D]+/gu;

/**
 * Diacritics and invisible characters. Not all combining marks: Thai vowels are marks too, and so is the mark that
 * turns か into が.
 */
const MARKS =
  /\u00AD|[\u0300-\u036F]|[\u0483-\u0487]|[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7]|[\u064B-\u065F]|[\u1AB0-\u1AFF]|[\u1DC0-\u1DFF]|[\u200B-\u200D]|[\u20D0-\u20FF]|[\uFE00-\uFE0F]|[\uFE20-\uFE2F]/gu;

/** Scripts whose characters are matched one by one. */
const ALONE = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}\p{scx=Yi}]/u;

/** A character with its marks, or a Hangul syllable written as separate jamo. */
const CHARACTERS = /[\u1100-\u115F][\u1160-\u11A7]?[\u11A8-\u11FF]?|\P{M}\p{M}*|\p{M}+/gu;

/** Letters that Unicode does not decompose, and their common substitutes. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = { đ: 'd', ł: 'l', ø: 'o', ı: 'i' };

/** The normalized form of a word, or of a character of a script without spaces, and its position. */
interface Token extends Range {
  readonly form: string;
  readonly alone: boolean;
}

/** A search term: consecutive characters, or one word. */
interface SearchTerm {
  readonly forms: readonly string[];
  readonly prefix: boolean;
}

/** Highlights the words of a search in texts that the database has found with it. */
export class SearchHighlighter {
  private readonly needles: readonly SearchTerm[];

  constructor(searched: string) {
    this.needles = needlesOf(tokensOf(searched));
  }

  /**
   * Returns the text around the first hit. Without a hit, returns the beginning of the text; this happens only if
   * the database normalizes letters that this class does not.
   */
  snippet(text: string): Snippet {
    const tokens = tokensOf(text);
    const hits = this.hitsIn(tokens);
    const { start, end } = windowOf(text, tokens, hits[0]);
    const before = start > 0 ? '…' : '';
    const after = end < text.length ? '…' : '';
    const shift = before.length - start;
    return {
      text: before + text.slice(start, end) + after,
      highlights: hits
        .filter((hit) => hit.start >= start && hit.end <= end)
        .map((hit) => ({ start: hit.start + shift, end: hit.end + shift })),
    };
  }

  /** Returns the hits in the order of the text; overlapping hits are merged. */
  private hitsIn(tokens: readonly Token[]): Range[] {
    const hits: { start: number; end: number }[] = [];
    for (const [index, { start }] of tokens.entries()) {
      for (const needle of this.needles) {
        const end = endOfHit(tokens, index, needle);
        if (end === undefined) continue;
        const last = hits.at(-1);
        if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
        else hits.push({ start, end });
      }
    }
    return hits;
  }
}

/** Groups adjacent characters into one search term; the last term matches prefixes. */
function needlesOf(tokens: readonly Token[]): SearchTerm[] {
  const needles: { forms: string[]; prefix: boolean }[] = [];
  let runEnd = -1;
  for (const { form, alone, start, end } of tokens) {
    const run = needles.at(-1);
    if (alone && run !== undefined && start === runEnd) run.forms.push(form);
    else needles.push({ forms: [form], prefix: false });
    runEnd = alone ? end : -1;
  }
  const last = needles.at(-1);
  if (last !== undefined) last.prefix = true;
  return needles;
}

/** Returns the end of the hit that begins with this token; undefined if there is none. */
function endOfHit(
  tokens: readonly Token[],
  index: number,
  { forms, prefix }: SearchTerm,
): number | undefined {
  let end: number | undefined;
  for (const [offset, form] of forms.entries()) {
    const token = tokens[index + offset];
    if (token === undefined || (end !== undefined && token.start !== end)) return undefined;
    const isPrefix = prefix && !token.alone && token.form.startsWith(form);
    if (token.form !== form && !isPrefix) return undefined;
    end = token.end;
  }
  return end;
}

/** Returns the range of the text to show: whole words unless they are too long, and never half a character. */
function windowOf(text: string, tokens: readonly Token[], hit: Range = { start: 0, end: 0 }): Range {
  if (text.length <= SNIPPET_LENGTH) return { start: 0, end: text.length };
  const earliest = hit.start - LEAD_LENGTH;
  const first = tokens.find((token) => token.start >= earliest);
  const start = earliest <= 0 ? 0 : Math.min(first?.start ?? hit.start, hit.start);
  const latest = start + SNIPPET_LENGTH;
  if (latest >= text.length) return { start, end: text.length };
  const last = tokens.findLast((token) => token.end <= latest);
  const end = last !== undefined && last.end >= Math.max(hit.end, start + 1) ? last.end : latest;
  // Keep both halves of a surrogate pair.
  return { start, end: text.slice(start, end).isWellFormed() ? end : end - 1 };
}

function tokensOf(text: string): Token[] {
  return Array.from(text.matchAll(WORDS)).flatMap(({ 0: word, index: start }) =>
    ALONE.test(word) || standsAlone(word) ? charactersOf(word, start) : tokenOf(word, start, false),
  );
}

/** Splits a text into the characters that are matched one by one and the words between them. */
function charactersOf(text: string, offset: number): Token[] {
  const tokens: Token[] = [];
  let word = '';
  let wordStart = offset;
  for (const { 0: character, index } of text.matchAll(CHARACTERS)) {
    if (!standsAlone(character)) {
      if (word === '') wordStart = offset + index;
      word += character;
      continue;
    }
    tokens.push(...tokenOf(word, wordStart, false), ...tokenOf(character, offset + index, true));
    word = '';
  }
  return [...tokens, ...tokenOf(word, wordStart, false)];
}

function standsAlone(text: string): boolean {
  return ALONE.test(text.slice(0, MAX_EXAMINED_LENGTH).normalize('NFKC'));
}

/** Returns no token if nothing is left after normalization. */
function tokenOf(text: string, start: number, alone: boolean): Token[] {
  const form = formOf(text);
  return form === '' ? [] : [{ form, alone, start, end: start + text.length }];
}

/** Normalizes a word exactly like `search_form` and, for queries, `search_normal_form` in the database. */
function formOf(word: string): string {
  const form = word
    .slice(0, MAX_EXAMINED_LENGTH)
    .normalize('NFKD')
    .replace(MARKS, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[đłøı]/g, (letter) => PLAIN_LETTERS[letter] ?? letter);
  return form.length <= WORD_LENGTH ? form : Array.from(form).slice(0, WORD_LENGTH).join('');
}
