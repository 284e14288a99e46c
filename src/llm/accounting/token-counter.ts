import { encode } from 'gpt-tokenizer/encoding/o200k_base';

/** Above this the text is estimated, so that one count never holds the event loop for long. In UTF-16 units. */
const EXACT_UP_TO = 100_000;

/** UTF-16 units a token takes on average in English prose, by which longer texts are estimated. */
const UNITS_PER_TOKEN = 4;

/**
 * A text is counted in slices of this many code points. The work of the encoding grows with the square of a word, and
 * an adversary's text is one word; a slice that cuts a word in two counts a token too many at the most.
 */
const SLICE = /[^]{1,256}/gu;

/**
 * The tokens of a text by OpenAI's `o200k_base` encoding. An estimate for every other family of models, and only
 * used where a provider told no figures of its own and for filling the context window.
 */
export function countTokens(text: string): number {
  if (text.length > EXACT_UP_TO) return Math.ceil(text.length / UNITS_PER_TOKEN);
  return (text.match(SLICE) ?? []).reduce((sum, slice) => sum + countSlice(slice), 0);
}

/** The same for texts that come together: where they are long together, each is estimated. */
export function countTokensOfEach(texts: readonly string[]): number[] {
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  if (length <= EXACT_UP_TO) return texts.map(countTokens);
  return texts.map((text) => Math.ceil(text.length / UNITS_PER_TOKEN));
}

function countSlice(slice: string): number {
  // A user may write '<|endoftext|>'; it is text like any other and must not be refused.
  return encode(slice, { disallowedSpecial: new Set() }).length;
}
