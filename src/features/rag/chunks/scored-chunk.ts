/** A chunk that one way of searching has found. */
export interface ScoredChunk {
  /** Its key in packed form. */
  readonly key: string;
  readonly score: number;
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
