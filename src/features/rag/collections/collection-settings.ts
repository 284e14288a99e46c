import { InvalidRequestError } from '../../../common/errors.js';
import { CHUNK_OVERLAP_TOKENS, CHUNK_TOKENS } from '../model/chunker.js';

/** Name of the collection of uploads and questions that name none. */
export const DEFAULT_COLLECTION = 'default';

/** Maximum number of collections of an account. */
export const MAX_COLLECTIONS = 100;

/** Pattern of collection names. */
export const COLLECTION_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Pattern of ids, which a name must not look like: a path has either. */
export const COLLECTION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The way in which the documents of a collection are indexed. */
export interface IndexSettings {
  /** Full name of the embedding model; null for lexical search only. */
  readonly embeddingModel: string | null;
  /** Maximum tokens of a chunk. */
  readonly chunkTokens: number;
  /** Tokens that two neighboring chunks share. */
  readonly chunkOverlap: number;
}

/** Chunking that a request asks for. */
export interface RequestedChunking {
  readonly chunkTokens?: number | undefined;
  readonly chunkOverlap?: number | undefined;
}

/**
 * Returns the chunking that results from a request.
 * @param current chunking that the request changes, if any
 * @throws InvalidRequestError if the overlap exceeds half of a chunk
 */
export function resolveChunking(
  requested: RequestedChunking,
  current?: Pick<IndexSettings, 'chunkTokens' | 'chunkOverlap'>,
): Pick<IndexSettings, 'chunkTokens' | 'chunkOverlap'> {
  const chunkTokens = requested.chunkTokens ?? current?.chunkTokens ?? CHUNK_TOKENS.default;
  const half = Math.floor(chunkTokens / 2);
  const usual = Math.min(current?.chunkOverlap ?? CHUNK_OVERLAP_TOKENS, half);
  const chunkOverlap = requested.chunkOverlap ?? usual;
  if (chunkOverlap <= half) return { chunkTokens, chunkOverlap };
  const message = `chunk_overlap must not exceed half of chunk_tokens, which is ${half}`;
  throw new InvalidRequestError(`${message}.`, [{ field: 'chunk_overlap', message }]);
}

/** Returns true if two ways of indexing have equal results. */
export function sameIndexSettings(one: IndexSettings, other: IndexSettings): boolean {
  return (
    one.embeddingModel === other.embeddingModel &&
    one.chunkTokens === other.chunkTokens &&
    one.chunkOverlap === other.chunkOverlap
  );
}
