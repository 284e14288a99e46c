import { encode, setMergeCacheSize } from 'gpt-tokenizer/encoding/o200k_base';

/**
 * Maximum length that is counted exactly, in UTF-16 code units. Longer texts are estimated, so that one count
 * never blocks the event loop for long.
 */
const EXACT_UP_TO = 100_000;

/** Average UTF-16 code units per token in English prose, for the estimate of longer texts. */
const UNITS_PER_TOKEN = 4;

/**
 * Matches the slices in which a text is counted, in code points. The time of the encoding grows with the square
 * of a word's length, and an attacker's text is a single word. A slice that splits a word adds at most one
 * token.
 */
const SLICE = /[^]{1,256}/gu;

/**
 * Maximum number of words whose tokens the encoding remembers. Once its cache is full, the time of each new word grows
 * with its size: with the default of 100,000, rows of a table took up to ten times as long.
 */
const REMEMBERED_WORDS = 4_096;

setMergeCacheSize(REMEMBERED_WORDS);

/**
 * Counts the tokens of a text with OpenAI's `o200k_base` encoding. For every other model family this is an
 * estimate. Used only if a provider reported no figures of its own, and for filling the context window.
 */
export function countTokens(text: string): number {
  if (text.length > EXACT_UP_TO) return Math.ceil(text.length / UNITS_PER_TOKEN);
  return (text.match(SLICE) ?? []).reduce((sum, slice) => sum + countSlice(slice), 0);
}

/** Counts the tokens of several texts. If they are long in total, each is estimated. */
export function countTokensOfEach(texts: readonly string[]): number[] {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length <= EXACT_UP_TO) return texts.map(countTokens);
  return texts.map((text) => Math.ceil(text.length / UNITS_PER_TOKEN));
}

function countSlice(slice: string): number {
  // A user may write '<|endoftext|>'; it is ordinary text and must not be refused.
  return encode(slice, { disallowedSpecial: new Set() }).length;
}
