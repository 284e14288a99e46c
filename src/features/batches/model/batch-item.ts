import type { AttemptRecord } from '../../../llm/index.js';
import type { BatchEndpoint, BatchUsage } from './batch.js';

/** Statuses of an item that has ended. */
export const ITEM_END_STATUSES = ['completed', 'failed', 'cancelled', 'expired'] as const;

/** Statuses of an item. */
export const BATCH_ITEM_STATUSES = ['waiting', 'running', ...ITEM_END_STATUSES] as const;

export type BatchItemStatus = (typeof BATCH_ITEM_STATUSES)[number];
export type ItemEndStatus = (typeof ITEM_END_STATUSES)[number];

/** A request of a new batch. */
export interface NewBatchItem {
  /** Number of the request in the input, from 1. */
  readonly line: number;
  readonly customId: string;
  /** Body of the request, JSON. */
  readonly request: string;
  /** Provider of its model; empty if the model is unknown. */
  readonly lane: string;
}

/** An item that this process holds under a lease. */
export interface ClaimedItem {
  readonly batchId: string;
  readonly line: number;
  readonly userId: string;
  readonly apiKeyId: string | null;
  readonly endpoint: BatchEndpoint;
  readonly request: string;
  readonly lane: string;
  /** Number of attempts, this one included. */
  readonly attempts: number;
  readonly leaseId: string;
}

/** The calls of an attempt at an item, for the ledger. */
export interface ItemUsage {
  readonly callId: string;
  readonly attempts: readonly AttemptRecord[];
}

/** The end of an attempt at an item. */
export type ItemEnd =
  /** There is a response; `failed` if its status is not 2xx. */
  | {
      readonly status: 'completed' | 'failed';
      readonly responseStatus: number;
      readonly requestId: string;
      /** JSON. */
      readonly response: string;
    }
  /** There is none, and there will be no other attempt. */
  | { readonly status: 'failed'; readonly errorCode: string; readonly errorMessage: string }
  /** Another attempt is needed. `givenBack`: this one does not count, because it did not fail because of the item. */
  | { readonly status: 'waiting'; readonly givenBack: boolean };

/** The result of an item, as its owner reads it. */
export interface ItemResult {
  readonly line: number;
  readonly customId: string;
  readonly status: ItemEndStatus;
  readonly responseStatus: number | null;
  readonly requestId: string | null;
  /** Body of the response, JSON. */
  readonly response: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly usage: BatchUsage;
}
