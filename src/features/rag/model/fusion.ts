/** Hits of one kind of search. */
export interface ScoredLeg {
  /** The best first. */
  readonly hits: readonly { readonly key: string; readonly score: number }[];
  /** Factor of its share, at least 0. */
  readonly weight: number;
  /** Score that counts as 0, at most the best one. */
  readonly floor: number;
}

/** A hit of several searches. */
export interface FusedHit {
  readonly key: string;
  /** From 0 to 1: 1 if each search has it first. */
  readonly score: number;
  /** Rank in each of the searches, from 1; undefined where it is missing. */
  readonly ranks: readonly (number | undefined)[];
}

/**
 * Merges the hits of several searches, the best first: by the weighted sum of their scores, of which the floor of each
 * search counts as 0 and the best one as 1. Unlike ranks, scores show how much better the first hits of a search are than
 * the others: one whose hits are about equal spoils the result of the other less (Bruch, Gai, Ingber: An Analysis of Fusion
 * Functions for Hybrid Retrieval, 2023, https://arxiv.org/abs/2210.11934). Hits of equal score stay in the order of the legs.
 */
export function fuseScores(legs: readonly ScoredLeg[]): FusedHit[] {
  const hits = new Map<string, { score: number; ranks: (number | undefined)[] }>();
  const total = legs.reduce((sum, { weight }) => sum + weight, 0) || 1;
  for (const [leg, { hits: found, weight, floor }] of legs.entries()) {
    const range = (found[0]?.score ?? floor) - floor;
    for (const [index, { key, score }] of found.entries()) {
      const hit = hits.get(key) ?? { score: 0, ranks: legs.map(() => undefined) };
      hits.set(key, hit);
      if (hit.ranks[leg] !== undefined) continue;
      hit.ranks[leg] = index + 1;
      hit.score += (weight / total) * (range > 0 ? Math.max(0, score - floor) / range : 1);
    }
  }
  return Array.from(hits, ([key, hit]) => ({ key, ...hit })).sort((one, other) => other.score - one.score);
}
