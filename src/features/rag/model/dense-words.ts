/*
 * Words of scripts without spaces between words, and of Korean, whose particles are written together with the word.
 * Dictionaries divide the same characters in different ways, depending on what surrounds them. So characters of Han and
 * Hangul are also indexed alone and in pairs.
 */

// The dictionaries belong to the scripts: the locale makes no difference.
const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

const SCRIPT_RUNS = /\p{sc=Han}+|\p{sc=Hangul}+|[^\p{sc=Han}\p{sc=Hangul}]+/gu;
const HAN_START = /^\p{sc=Han}/u;
const HAN_ONLY = /^\p{sc=Han}+$/u;
const HANGUL_START = /^\p{sc=Hangul}/u;

const LONG_WORD = /^.{3}/su;

/** Particles after a Korean noun and the copula, the longest first. */
const PARTICLES =
  /(?:에서는|에게서|으로는|으로부터|이라는|입니다|였습니다|이었다|에서|에게|에는|에도|으로|부터|까지|보다|처럼|마다|조차|이나|이다|이며|하고|한테|께서|라는|로는|와의|과의|은|는|이|가|을|를|의|에|와|과|도|로|만|나|다|며)$/;

/** Returns the words of runs of characters, as the dictionary of their script divides them. */
export function segmentWords(runs: readonly string[]): string[] {
  const words: string[] = [];
  // One call, because each costs more than the segmentation of a short run.
  for (const { segment, isWordLike } of segmenter.segment(runs.join(' ')))
    if (isWordLike === true) words.push(segment);
  return words;
}

/** Returns the terms of a word in an index. */
export function indexedDenseWord(word: string): string[] {
  if (HANGUL_START.test(word)) return Array.from(new Set([word, removeParticle(word), ...pairsOf(word)]));
  // Shorter words are among the characters and pairs of their run.
  return HAN_ONLY.test(word) && !LONG_WORD.test(word) ? [] : [word];
}

/** Yields the characters and pairs of characters by which the words of a run are found besides the words. */
export function* indexedCharacters(run: string): Generator<string> {
  for (const part of run.match(SCRIPT_RUNS) ?? []) {
    if (!HAN_START.test(part)) continue;
    yield* part;
    yield* pairsOf(part);
  }
}

/** Returns a Korean word without the particle at its end. */
export function removeParticle(word: string): string {
  const noun = word.replace(PARTICLES, '');
  return noun === '' ? word : noun;
}

/** Yields the pairs of adjacent characters of a text. */
export function* pairsOf(text: string): Generator<string> {
  let previous = '';
  for (const character of text) {
    if (previous !== '') yield previous + character;
    previous = character;
  }
}

/** Returns true if a word has only Han characters. */
export function isHan(word: string): boolean {
  return HAN_ONLY.test(word);
}

/** Returns true if a word is Korean. */
export function isHangul(word: string): boolean {
  return HANGUL_START.test(word);
}
