import type { ScoredChunk, WordMatch } from '../chunks/scored-chunk.js';
import { fuseScores } from '../model/fusion.js';
import type { SearchHit } from './search-request.js';

/** A chunk of the merged result, with its scores and ranks. */
export interface FusedChunk extends Pick<SearchHit, 'score' | 'scores' | 'ranks'> {
  readonly key: string;
  /** True if its words make it relevant. */
  readonly isRelevantByWords: boolean;
}

/** The chunks that each way of searching has found, the best first; undefined if it was not searched. */
export interface SearchedLegs {
  readonly lexical: readonly WordMatch[] | undefined;
  readonly vector: readonly ScoredChunk[] | undefined;
  /** Share of the vectors in the score, from 0 to 1. */
  readonly vectorWeight: number;
}

/**
 * Minimum difference of the cosines of the first and the last chunk for the fusion: among a few chunks that are about
 * equally near, the vectors decide little.
 */
const MIN_COSINE_RANGE = 0.1;

/**
 * Rank of the chunk whose cosine counts as 0, if there are as many. At least as many are searched, whatever the number of
 * passages that are wanted, so that this number does not change their order.
 */
export const FLOOR_RANK = 100;

/** Merges the chunks of both ways of searching by their scores; those of a single one keep its order and score. */
export function fuseLegs({ lexical, vector, vectorWeight }: SearchedLegs): FusedChunk[] {
  const relevant = new Set(lexical?.flatMap(({ key, isRelevant: found }) => (found ? [key] : [])));
  if (lexical === undefined || vector === undefined) {
    const leg = lexical === undefined ? 'vector' : 'lexical';
    return (lexical ?? vector ?? []).map(({ key, score }, index) => ({
      key,
      score,
      isRelevantByWords: relevant.has(key),
      scores: { lexical: null, vector: null, fused: null, [leg]: score },
      ranks: { lexical: null, vector: null, [leg]: index + 1 },
    }));
  }
  const lexicalScores = scoresByKey(lexical);
  const vectorScores = scoresByKey(vector);
  const best = vector[0]?.score ?? 0;
  const farthest = vector[Math.min(vector.length, FLOOR_RANK) - 1]?.score ?? 0;
  const legs = [
    { hits: lexical, weight: 1 - vectorWeight, floor: 0 },
    { hits: vector, weight: vectorWeight, floor: Math.min(farthest, best - MIN_COSINE_RANGE) },
  ];
  return fuseScores(legs).map(({ key, score, ranks: [lexicalRank, vectorRank] }) => ({
    key,
    score,
    isRelevantByWords: relevant.has(key),
    scores: {
      lexical: lexicalScores.get(key) ?? null,
      vector: vectorScores.get(key) ?? null,
      fused: score,
    },
    ranks: { lexical: lexicalRank ?? null, vector: vectorRank ?? null },
  }));
}

/**
 * Returns true if a chunk is relevant: it has a content word of the query, or its cosine is at least the minimum. Words
 * decide without a minimum, so that `min_score` never hides what was found by them.
 */
export function isRelevant(
  { isRelevantByWords, scores: { vector } }: FusedChunk,
  minCosine: number,
): boolean {
  return isRelevantByWords || (vector !== null && vector >= minCosine);
}

function scoresByKey(chunks: readonly ScoredChunk[]): ReadonlyMap<string, number> {
  return new Map(chunks.map(({ key, score }) => [key, score]));
}
