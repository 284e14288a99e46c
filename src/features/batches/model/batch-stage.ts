import type { BatchApi, BatchEndpoint, BatchEndStatus, BatchRef, InputFault } from './batch.js';

/** A batch that this process validates or ends. */
export interface ClaimedStage extends BatchRef {
  readonly leaseId: string;
  readonly api: BatchApi;
  readonly endpoint: BatchEndpoint;
  /** Undefined while it is to be validated. */
  readonly endStatus: BatchEndStatus | undefined;
  readonly inputFileId: string | null;
  readonly outputExpiresAfterS: number | null;
  /** Fields of every request of its file. */
  readonly defaults: unknown;
  readonly total: number | null;
  /** Time at which it began to end, part of the keys of its result files. */
  readonly endingAt: Date | null;
  /** Number of attempts, this one included. */
  readonly attempts: number;
  /** True if it has failed for minutes: it is to come to its end without what it waits for. */
  readonly isOverdue: boolean;
  /** True for a batch that has ended and lacks its result files. */
  readonly hasEnded: boolean;
}

/** A batch that is to be ended. */
export interface EndingStage extends ClaimedStage {
  readonly endStatus: BatchEndStatus;
}

/** The result files of a batch. */
export interface ResultFiles {
  readonly output: string | null;
  readonly error: string | null;
  /** Reasons for which there is no file although there are results. */
  readonly faults: readonly InputFault[];
}

/** Reports that a batch is no longer held: it was cancelled or deleted, or another process has it. */
export class StageLostError extends Error {}
