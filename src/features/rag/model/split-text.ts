import { countUnitTokens } from './unit-tokens.js';

/** Maximum length of a text that is counted, in UTF-16 units. Longer ones are split first. */
const MAX_COUNTED_UNITS = 1_024;

/** Share of a text, around its middle, in which the place for a cut is searched. */
const CUT_WINDOW = 0.5;

/** Places for a cut within a sentence, the best first: a cut is after the match. */
const CUTS = [/[,;:)\]}，、；：。」』]\s?/gu, /\s/gu, /\p{P}/gu];

/** Characters that belong to the one before them. */
const CONTINUATION = /^[\p{M}\u200D]/u;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A part of a text and its tokens. */
export interface CountedText {
  readonly text: string;
  readonly tokens: number;
}

/**
 * Splits a text into parts of at most a number of tokens, after punctuation or white space if possible, otherwise between
 * characters. All parts together are the text.
 */
export function* splitByTokens(text: string, maxTokens: number): Generator<CountedText> {
  // A stack, so that the depth of a recursion never depends on the text.
  const rest = [text];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (next.length <= MAX_COUNTED_UNITS) {
      const tokens = countUnitTokens(next);
      if (tokens <= maxTokens || next.length < 2) {
        yield { text: next, tokens };
        continue;
      }
    }
    const cut = findCut(next, Math.min(Math.ceil(next.length / 2), MAX_COUNTED_UNITS));
    if (cut <= 0 || cut >= next.length) yield { text: next, tokens: countUnitTokens(next) };
    else rest.push(next.slice(cut), next.slice(0, cut));
  }
}

/** Returns the best position for a cut near a position. */
export function findCut(text: string, near: number): number {
  const reach = Math.floor(near * CUT_WINDOW);
  const from = near - reach;
  const window = text.slice(from, near);
  for (const pattern of CUTS) {
    const ends = Array.from(window.matchAll(pattern), ({ 0: match, index }) => from + index + match.length);
    const cut = ends.findLast((end) => !CONTINUATION.test(text.slice(end, end + 2)));
    if (cut !== undefined) return cut;
  }
  return graphemeBoundary(text, near);
}

/** Returns the last boundary between graphemes up to a position, or one between code points if there is none near. */
function graphemeBoundary(text: string, position: number): number {
  const from = endOfCodePoints(text, Math.max(0, position - MAX_COUNTED_UNITS / 2));
  const window = text.slice(from, position + MAX_COUNTED_UNITS / 2);
  const start = graphemes.segment(window).containing(position - from)?.index ?? 0;
  return start > 0 ? from + start : endOfCodePoints(text, position);
}

/** Returns a position, or the one after it if it is within a surrogate pair. */
function endOfCodePoints(text: string, position: number): number {
  const unit = text.charCodeAt(position);
  return position > 0 && unit >= 0xdc00 && unit < 0xe000 ? position + 1 : position;
}

/** Returns a text, or its beginning if it has more than a number of tokens. */
export function fitTokens(text: string, maxTokens: number): CountedText {
  const [first] = splitByTokens(text, maxTokens);
  return first ?? { text: '', tokens: 0 };
}
