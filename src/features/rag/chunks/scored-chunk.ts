import type { ScoredPostings } from './score-postings.js';

/** A chunk that one way of searching has found. */
export interface ScoredChunk {
  /** Its key in packed form. */
  readonly key: string;
  readonly score: number;
}

/** A chunk that the search by words has found. */
export interface WordMatch extends ScoredChunk {
  /** True if its words make it relevant to the question, and not only function words or parts of words. */
  readonly isRelevant: boolean;
}

/** Returns the chunks with the highest scores, the best first; of equal ones in the order of their keys. */
export function bestChunks(scores: Iterable<readonly [string, number]>, limit: number): ScoredChunk[] {
  const all = Array.from(scores, ([key, score]) => ({ key, score }));
  // Sorting numbers is much faster than sorting objects, of which only few are kept.
  const least =
    all.length > limit ? Float64Array.from(all, ({ score }) => score).sort()[all.length - limit] : undefined;
  return all
    .filter(({ score }) => least === undefined || score >= least)
    .sort((one, other) => other.score - one.score || (one.key < other.key ? -1 : 1))
    .slice(0, limit);
}

/**
 * Returns the chunks with the highest scores, as {@link bestChunks} does, and after them those with the highest scores of
 * the relevant ones, so that many chunks with rare function words hide none.
 */
export function bestMatches(found: ScoredPostings, limit: number): WordMatch[] {
  const best = bestChunks(found.scores, limit);
  const keys = new Set(best.map(({ key }) => key));
  const others = bestRelevant(found, limit).filter(({ key }) => !keys.has(key));
  return [...best, ...others].map((chunk) => ({ ...chunk, isRelevant: found.relevant.has(chunk.key) }));
}

/** Returns the relevant chunks with the highest scores. */
export function bestRelevant({ scores, relevant }: ScoredPostings, limit: number): ScoredChunk[] {
  return bestChunks(
    Array.from(relevant, (key) => [key, scores.get(key) ?? 0] as const),
    limit,
  );
}
