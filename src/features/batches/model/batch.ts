/** Statuses of a batch in which it has ended. */
export const BATCH_END_STATUSES = ['completed', 'failed', 'cancelled', 'expired'] as const;

/** Statuses of a batch. */
export const BATCH_STATUSES = [
  'validating',
  'queued',
  'running',
  'paused',
  'finalizing',
  'cancelling',
  ...BATCH_END_STATUSES,
] as const;

export type BatchStatus = (typeof BATCH_STATUSES)[number];
export type BatchEndStatus = (typeof BATCH_END_STATUSES)[number];

/** The API that a batch was created with. Each shows its own batches only. */
export type BatchApi = 'parley' | 'openai';

/** Routes whose requests a batch may have. */
export const BATCH_ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'] as const;

export type BatchEndpoint = (typeof BATCH_ENDPOINTS)[number];

/** Returns true if a text is a route whose requests a batch may have. */
export function isBatchEndpoint(text: string): text is BatchEndpoint {
  return BATCH_ENDPOINTS.some((endpoint) => endpoint === text);
}

/** Bounds of batches. */
export const BATCH_LIMITS = {
  /** Maximum number of items of a batch. */
  items: 50_000,
  /** Maximum number of batches of an account that have not ended. */
  activeBatches: 20,
  /** Maximum number of items of an account that have not ended. */
  waitingItems: 200_000,
  /** Maximum length of a `custom_id`, in UTF-16 units. */
  customIdLength: 512,
  /** Maximum size of a line of a file, in bytes. */
  lineBytes: 16 * 2 ** 20,
  /** Maximum number of faults of an input that are listed. */
  listedFaults: 100,
} as const;

/** Bounds of the metadata of a batch, as in OpenAI's API; lengths in UTF-16 units. */
export const METADATA_LIMITS = { fields: 16, nameLength: 64, valueLength: 512 } as const;

/** Time after which a batch expires, in hours. */
export const BATCH_WINDOW_HOURS = 24;

/** Retention of ended batches with their results, in days. */
export const BATCH_RETENTION_DAYS = 30;

/** A fault of the input of a batch. */
export interface InputFault {
  readonly code: string;
  readonly message: string;
  /** Field of the line; null if the fault is not of one. */
  readonly param: string | null;
  /** Number of the line, from 1; null if the fault is not of one. */
  readonly line: number | null;
}

/** Tokens and cost of all attempts of a batch or an item. */
export interface BatchUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  /** Cost of the attempts whose price is known, in micro-dollars. */
  readonly costMicroUsd: bigint;
  /** Number of attempts whose price is unknown. */
  readonly unpricedAttempts: number;
}

/** Identifies a batch. */
export interface BatchRef {
  readonly id: string;
  readonly userId: string;
}

/** A batch in its current state. */
export interface Batch extends BatchRef {
  readonly api: BatchApi;
  readonly endpoint: BatchEndpoint;
  readonly status: BatchStatus;
  readonly inputFileId: string | null;
  readonly outputFileId: string | null;
  readonly errorFileId: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly maxConcurrency: number | null;
  /** Model that the first request of its file names; null without a file, or if it names none. */
  readonly model: string | null;
  /** Number of items; null until it is validated. */
  readonly total: number | null;
  readonly completedCount: number;
  readonly failedCount: number;
  /** Number of items that were cancelled or expired. */
  readonly skippedCount: number;
  /** Number of items that run now. */
  readonly runningCount: number;
  readonly usage: BatchUsage;
  /** Faults of its input. */
  readonly errors: readonly InputFault[];
  /** Reason for which it is paused. */
  readonly pause: { readonly code: string; readonly message: string; readonly resumeAt: Date | null } | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly startedAt: Date | null;
  readonly finalizingAt: Date | null;
  readonly cancellingAt: Date | null;
  /** Time at which it reached its last status; null before. */
  readonly endedAt: Date | null;
}

/** Returns true if a batch has ended. */
export function hasEnded(status: BatchStatus): status is BatchEndStatus {
  return BATCH_END_STATUSES.some((end) => end === status);
}
