import type { ExtractionWarning } from '../../files/index.js';

/** States of the ingestion of a document. */
export const DOCUMENT_STATUSES = ['queued', 'processing', 'ready', 'failed', 'cancelled'] as const;

/** State of the ingestion of a document. */
export type DocumentStatus = (typeof DOCUMENT_STATUSES)[number];

/** Step of an ingestion. */
export type IngestionStage = 'extracting' | 'chunking' | 'embedding';

/** Key of an ingestion. */
export interface IngestionRef {
  readonly id: string;
  readonly userId: string;
}

/** A problem of some pages, or of chunks whose end the embedding model did not get. */
export type IngestionWarning =
  | ExtractionWarning
  | {
      readonly code: 'embedding_truncated';
      /** Ordinals of the chunks, from 0. */
      readonly chunks: readonly number[];
    };

/** The reason for which an ingestion failed. */
export interface IngestionFault {
  /** An error code of the API. */
  readonly code: string;
  /** The reason, and what to do about it. */
  readonly message: string;
}

/** An ingestion that this process is working on. */
export interface ClaimedIngestion extends IngestionRef {
  /** Fence of the claim: every write must still hold it. */
  readonly leaseId: string;
  readonly documentId: string;
  readonly indexId: string;
  readonly collectionId: string;
  /** True if its index is being built beside the active one. */
  readonly isBuilding: boolean;
  readonly fileId: string;
  readonly stage: IngestionStage;
  /** Number of attempts since its last progress, including this one. */
  readonly attempts: number;
  /** Time since the ingestion was requested. */
  readonly ageSeconds: number;
  /** Number of all chunks; null until the last one is stored. */
  readonly chunkCount: number | null;
  /** Number of chunks stored so far. */
  readonly chunkedCount: number;
  /** Number of chunks with a vector. */
  readonly embeddedCount: number;
  /** Null for lexical search only. */
  readonly embeddingModel: string | null;
  /** Dimensions of the vectors of the index; null until the first is stored. */
  readonly dimensions: number | null;
  readonly chunkTokens: number;
  readonly chunkOverlap: number;
}

/** The part of an ingestion by which its progress is measured. */
export interface IngestionProgress {
  readonly status: DocumentStatus;
  readonly stage: IngestionStage;
  readonly hasVectors: boolean;
  readonly chunkCount: number | null;
  readonly chunkedCount: number;
  readonly embeddedCount: number;
}

/** Share of the stages before the one that ends an ingestion. */
const SHARES = { extracted: 0.1, chunked: 0.3 } as const;

/** Number of chunks at which half of the share of chunking has passed: the total is not known before its end. */
const HALF_CHUNKS = 200;

/**
 * Returns the progress of an ingestion, 0 to 1. It never decreases, because none of the counts does. A
 * later version, and the same one in another index, is another ingestion.
 */
export function progressOf(ingestion: IngestionProgress): number {
  const { status, stage, hasVectors, chunkCount, chunkedCount, embeddedCount } = ingestion;
  if (status === 'ready') return 1;
  if (stage === 'extracting') return chunkedCount === 0 ? 0 : SHARES.extracted;
  const end = hasVectors ? SHARES.chunked : 1;
  if (stage === 'chunking' || chunkCount === null)
    return SHARES.extracted + (end - SHARES.extracted) * (chunkedCount / (chunkedCount + HALF_CHUNKS));
  return SHARES.chunked + (1 - SHARES.chunked) * (chunkCount === 0 ? 1 : embeddedCount / chunkCount);
}
