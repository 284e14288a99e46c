/** Use of the vectors of an embedding model. */
export interface EmbeddingProfile {
  /** Minimum cosine of a question and a relevant passage that shares no word with it. */
  readonly minCosine: number;
}

/** Profile of models that no other one matches. */
const DEFAULT_PROFILE: EmbeddingProfile = { minCosine: 0.5 };

/**
 * Profiles by a part of the model's name. Cosines of unrelated texts differ from model to model: near 0 with some, above
 * 0.7 with others. RAG_MIN_COSINE replaces them.
 */
const PROFILES: readonly (readonly [RegExp, EmbeddingProfile])[] = [
  [/text-embedding-3-/, { minCosine: 0.3 }],
  [/text-embedding-ada-002/, { minCosine: 0.78 }],
  [/(^|[^a-z0-9])e5-/, { minCosine: 0.8 }],
];

/** Returns the profile of a model by its name. */
export function embeddingProfile(model: string): EmbeddingProfile {
  return PROFILES.find(([pattern]) => pattern.test(model))?.[1] ?? DEFAULT_PROFILE;
}
