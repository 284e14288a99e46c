/** Default constant of the reciprocal rank: the larger, the less the first ranks stand out. */
export const RANK_CONSTANT = 60;

/** Hits of one kind of search, the best first. */
export interface RankedLeg {
  /** Keys of the hits. */
  readonly keys: readonly string[];
  /** Factor of its share, at least 0. */
  readonly weight: number;
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
 * Merges the hits of several searches by weighted reciprocal rank, the best first. Hits of equal score stay in the order
 * of the legs.
 */
export function fuseRanks(legs: readonly RankedLeg[], constant = RANK_CONSTANT): FusedHit[] {
  const hits = new Map<string, { score: number; ranks: (number | undefined)[] }>();
  const total = legs.reduce((sum, { weight }) => sum + weight, 0) || 1;
  for (const [leg, { keys, weight }] of legs.entries()) {
    for (const [index, key] of keys.entries()) {
      const hit = hits.get(key) ?? { score: 0, ranks: legs.map(() => undefined) };
      hits.set(key, hit);
      if (hit.ranks[leg] !== undefined) continue;
      hit.ranks[leg] = index + 1;
      hit.score += (weight / total) * ((constant + 1) / (constant + index + 1));
    }
  }
  return Array.from(hits, ([key, hit]) => ({ key, ...hit })).sort((one, other) => other.score - one.score);
}
