import type { EmbeddingUsage } from './ingestion.repository.js';
import type { IngestionFault } from './ingestion.js';

/** End of an attempt at an ingestion. */
export type IngestionEnd =
  | { readonly type: 'finished' }
  /** The claim is no longer valid: another process has the ingestion, or it was cancelled or deleted. */
  | { readonly type: 'lost' }
  | {
      readonly type: 'released';
      readonly waitSeconds: number;
      /** False if the attempt ended for a reason that is not the document's. */
      readonly counted: boolean;
      readonly usage?: EmbeddingUsage | undefined;
    }
  | { readonly type: 'failed'; readonly fault: IngestionFault; readonly usage?: EmbeddingUsage | undefined };

/** End of an attempt after which the ingestion is not finished. */
export type UnfinishedEnd = Exclude<IngestionEnd, { type: 'finished' }>;

/** Ends an attempt in the middle of a stage. */
export class IngestionInterruption extends Error {
  override readonly name = 'IngestionInterruption';

  constructor(readonly end: IngestionEnd) {
    super(`The attempt at an ingestion ended: ${end.type}.`);
  }
}

/** Returns the interruption of an attempt whose claim is no longer valid. */
export function toLostClaim(): IngestionInterruption {
  return new IngestionInterruption({ type: 'lost' });
}

/** Returns the interruption of an attempt that cannot succeed. */
export function toFailure(fault: IngestionFault, usage?: EmbeddingUsage): IngestionInterruption {
  return new IngestionInterruption({ type: 'failed', fault, usage });
}

/** Returns the interruption of an attempt that goes on later. */
export function toRelease(
  waitSeconds: number,
  counted = false,
  usage?: EmbeddingUsage,
): IngestionInterruption {
  return new IngestionInterruption({ type: 'released', waitSeconds, counted, usage });
}
