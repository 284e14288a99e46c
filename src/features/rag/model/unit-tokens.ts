import { countTokens } from '../../../llm/index.js';

/** Runs of scripts without spaces, which the encoding would take as one word: its time grows with the square of it. */
const DENSE_RUN =
  /([\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{M}]+)/u;

const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

/** Maximum number of words whose tokens are remembered. */
const MAX_CACHED_WORDS = 50_000;
const MAX_CACHED_UNITS = 16;

const cachedCounts = new Map<string, number>();

/**
 * Counts the tokens of a short text. In scripts without spaces, counts them word by word: a tenth more than together,
 * but ten times as fast.
 */
export function countUnitTokens(text: string): number {
  // With the group of the expression, every second part is a run.
  const parts = text.split(DENSE_RUN);
  if (parts.length === 1) return countTokens(text);
  return parts.reduce(
    (sum, part, index) => sum + (index % 2 === 1 ? countDenseTokens(part) : countTokens(part)),
    0,
  );
}

function countDenseTokens(run: string): number {
  let tokens = 0;
  for (const { segment } of segmenter.segment(run)) tokens += countWordTokens(segment);
  return tokens;
}

function countWordTokens(word: string): number {
  if (word.length > MAX_CACHED_UNITS) return countTokens(word);
  const cached = cachedCounts.get(word);
  if (cached !== undefined) return cached;
  const tokens = countTokens(word);
  if (cachedCounts.size >= MAX_CACHED_WORDS) cachedCounts.clear();
  // A copy, because a part of a string keeps all of it in memory.
  cachedCounts.set(Buffer.from(word, 'utf16le').toString('utf16le'), tokens);
  return tokens;
}
