import type { MicroUsd } from '../../../common/money.js';
import type { CallHandling, TokenUsage } from '../../../llm/index.js';
import type { Passage } from '../chunks/passage.repository.js';
import type { MetadataFilter } from '../model/filter.js';

/** Ways to search: by words, by the vectors of an embedding model, or both. */
export const SEARCH_MODES = ['hybrid', 'lexical', 'vector'] as const;

/** A way to search. */
export type SearchMode = (typeof SEARCH_MODES)[number];

/** Number of passages if the request does not say, and its bounds. */
export const DEFAULT_TOP_K = 5;
export const MAX_TOP_K = 50;

/** A search for passages. */
export interface SearchRequest {
  readonly query: string;
  /** Ids of the collections. Those that the account may not read find nothing. */
  readonly collections: readonly string[];
  readonly mode: SearchMode;
  /** Maximum number of passages, 1 to `MAX_TOP_K`. */
  readonly topK: number;
  /** Condition on the metadata of documents. */
  readonly filter?: MetadataFilter | undefined;
  /** Minimum cosine of passages without a content word of the query; undefined for that of the embedding model. */
  readonly minScore?: number | undefined;
  /**
   * True if passages are found that are not relevant: those that only have function words of the query, and, unless
   * `minScore` is set, the nearest ones however far they are.
   */
  readonly includeIrrelevant?: boolean | undefined;
  /** Chat model that orders the passages; undefined for the order of the search. */
  readonly rerank?: string | undefined;
  /** True if the caller shows the reports of the result. They are always there. */
  readonly explain: boolean;
  /** Handling of the calls that embed the query. Default: that of a request. */
  readonly handling?: CallHandling | undefined;
}

/** Scores or ranks of a passage by each way of searching; null if it was not found that way. */
export interface ByLeg {
  /** BM25, or the rank by it. */
  readonly lexical: number | null;
  /** Cosine, or the rank by it. */
  readonly vector: number | null;
}

/** A passage that a search has found. */
export interface SearchHit extends Omit<Passage, 'key'> {
  /** Score of the search: of the only way of searching, or the fused one. Passages are ordered by it, or by a model. */
  readonly score: number;
  readonly scores: ByLeg & {
    /**
     * Weighted sum of both scores, from 0 to 1: BM25 as a share of the best one, the cosine as its place between that of the
     * hundredth chunk, or of the last, and the best one, over a range of at least 0.1. Null if only one way was searched.
     */
    readonly fused: number | null;
  };
  /** Ranks from 1, before passages that are not relevant are left out. */
  readonly ranks: ByLeg & {
    /** Rank by the model that ordered the passages; null if it left this one out. Absent if none did. */
    readonly rerank?: number | null;
  };
}

/** Report of one way of searching, or of the order by a model. */
export interface LegReport {
  readonly leg: 'lexical' | 'vector' | 'rerank';
  /** Number of passages that it found or ordered, of which the best are in the result. */
  readonly found: number;
  readonly durationMs: number;
  /** Method by which vectors were compared: all of them, by the HNSW index of pgvector, or by their signs first. */
  readonly method?: 'exact' | 'hnsw' | 'signs';
  /** Why it is off, has failed or found nothing, in a sentence. */
  readonly reason?: string;
}

/** The call to the model that orders passages. */
export interface RerankCall {
  /** Full name of the model; null if no model has replied. */
  readonly model: string | null;
  readonly usage: TokenUsage;
  /** Null if the price is unknown. */
  readonly costMicroUsd: MicroUsd | null;
}

/** The passages of a search, the best first, and how they were found. */
export interface SearchResult {
  readonly hits: readonly SearchHit[];
  readonly legs: readonly LegReport[];
  /** Sentences about what the search could not do, for instance because the embedding model is unavailable. */
  readonly warnings: readonly string[];
  /** Present if a model was to order the passages. */
  readonly rerank?: RerankCall;
}
