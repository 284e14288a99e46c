/** UTF-16 units of a text, from the first to before the last. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A piece of a text, and where in the piece the words are that were searched for. */
export interface Snippet {
  readonly text: string;
  readonly highlights: readonly Range[];
}

/** About how long a snippet is, and how much of it stands before the first hit at the most. In UTF-16 units. */
const SNIPPET_LENGTH = 160;
const LEAD_LENGTH = 40;

/** Words are compared by their first characters, as the index does. */
const WORD_LENGTH = 64;

/**
 * So much of a word or character is looked at, in UTF-16 units. Putting marks into their order takes time that grows with
 * the square of how many there are in a row, and a text may consist of nothing else.
 */
const LOOKED_AT = 256;

const WORDS = /[\p{L}\p{N}\p{M}\u00AD\u200B-\u200D]+/gu;

/** Diacritics and what is not seen. Not every mark: the vowels of Thai are marks too, and so is what makes が of か. */
const MARKS =
  /\u00AD|[\u0300-\u036F]|[\u0483-\u0487]|[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7]|[\u064B-\u065F]|[\u1AB0-\u1AFF]|[\u1DC0-\u1DFF]|[\u200B-\u200D]|[\u20D0-\u20FF]|[\uFE00-\uFE0F]|[\uFE20-\uFE2F]/gu;

/** Scripts whose characters are found one by one. */
const ALONE = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}\p{scx=Yi}]/u;

/** A character with its marks, and a syllable of Hangul that is written in its parts. */
const CHARACTERS = /[\u1100-\u115F][\u1160-\u11A7]?[\u11A8-\u11FF]?|\P{M}\p{M}*|\p{M}+/gu;

/** Letters that Unicode does not take apart, and what people write who do not have them. */
const PLAIN_LETTERS: Readonly<Record<string, string>> = { đ: 'd', ł: 'l', ø: 'o', ı: 'i' };

/** A word, or a character of a script without spaces, as it is compared, and where it stands. */
interface Token extends Range {
  readonly form: string;
  readonly alone: boolean;
}

/** What is looked for: characters that follow each other, or one word. */
interface Needle {
  readonly forms: readonly string[];
  readonly prefix: boolean;
}

/** Looks for the words of a search in texts that the database has found by them. */
export class Highlighter {
  private readonly needles: readonly Needle[];

  constructor(searched: string) {
    this.needles = needlesOf(tokensOf(searched));
  }

  /**
   * The text around the first hit. Where there is none, which can only be where the database knows letters that this
   * does not, it is the beginning of the text.
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

  /** In the order of the text; hits that overlap are one. */
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

/** Neighbouring characters become one needle; the last word is a prefix. */
function needlesOf(tokens: readonly Token[]): Needle[] {
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

/** Where a hit ends that begins with this token; undefined where none does. */
function endOfHit(tokens: readonly Token[], index: number, { forms, prefix }: Needle): number | undefined {
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

/** What of the text to show: whole words where they are not too long, and never half a character. */
function windowOf(text: string, tokens: readonly Token[], hit: Range = { start: 0, end: 0 }): Range {
  if (text.length <= SNIPPET_LENGTH) return { start: 0, end: text.length };
  const earliest = hit.start - LEAD_LENGTH;
  const first = tokens.find((token) => token.start >= earliest);
  const start = earliest <= 0 ? 0 : Math.min(first?.start ?? hit.start, hit.start);
  const latest = start + SNIPPET_LENGTH;
  if (latest >= text.length) return { start, end: text.length };
  const last = tokens.findLast((token) => token.end <= latest);
  const end = last !== undefined && last.end >= Math.max(hit.end, start + 1) ? last.end : latest;
  // A pair of surrogates is one character.
  return { start, end: text.slice(start, end).isWellFormed() ? end : end - 1 };
}

function tokensOf(text: string): Token[] {
  return Array.from(text.matchAll(WORDS)).flatMap(({ 0: word, index: start }) =>
    ALONE.test(word) || standsAlone(word) ? charactersOf(word, start) : tokenOf(word, start, false),
  );
}

/** The characters that are found one by one, and the words between them. */
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
  return ALONE.test(text.slice(0, LOOKED_AT).normalize('NFKC'));
}

/** None where nothing is left of it. */
function tokenOf(text: string, start: number, alone: boolean): Token[] {
  const form = formOf(text);
  return form === '' ? [] : [{ form, alone, start, end: start + text.length }];
}

/** The same as `search_normal_form` in the database. */
function formOf(word: string): string {
  const form = word
    .slice(0, LOOKED_AT)
    .normalize('NFKD')
    .replace(MARKS, '')
    .normalize('NFC')
    .toLowerCase()
    .replace(/[đłøı]/g, (letter) => PLAIN_LETTERS[letter] ?? letter);
  return form.length <= WORD_LENGTH ? form : Array.from(form).slice(0, WORD_LENGTH).join('');
}
