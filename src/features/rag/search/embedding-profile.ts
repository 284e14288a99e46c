/** Use of the vectors of an embedding model. */
export interface EmbeddingProfile {
  /** Share of the vectors in the rank of a hybrid search, from 0 to 1. */
  readonly vectorWeight: number;
  /** Minimum cosine of a question and a relevant passage that shares no word with it. */
  readonly minCosine: number;
}

/** Profile of models that no other one matches. */
const DEFAULT_PROFILE: EmbeddingProfile = { vectorWeight: 0.4, minCosine: 0.5 };

/**
 * Profiles by a part of the model's name. Cosines of unrelated texts differ from model to model: near 0 with some, above
 * 0.7 with others. RAG_VECTOR_WEIGHT and RAG_MIN_COSINE replace them.
 */
const PROFILES: readonly (readonly [RegExp, EmbeddingProfile])[] = [
  [/text-embedding-3-/, { vectorWeight: 0.5, minCosine: 0.3 }],
  [/text-embedding-ada-002/, { vectorWeight: 0.4, minCosine: 0.78 }],
  [/(^|[^a-z0-9])e5-/, { vectorWeight: 0.4, minCosine: 0.8 }],
  // On XQuAD in English its vectors alone reach an nDCG@10 of .83, and words .97 (bench/retrieval/run.mjs).
  [/universal-sentence-encoder/, { vectorWeight: 0.1, minCosine: 0.5 }],
];

/** Returns the profile of a model by its name. */
export function embeddingProfile(model: string): EmbeddingProfile {
  return PROFILES.find(([pattern]) => pattern.test(model))?.[1] ?? DEFAULT_PROFILE;
}
