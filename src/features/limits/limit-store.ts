/** One dimension of a request limit. */
export interface Bucket {
  readonly key: string;
  /** Units a minute, and at once. */
  readonly limit: number;
  /** Units that are taken; 0 only looks. */
  readonly cost: number;
}

/** What became of a request. */
export interface Taken {
  readonly allowed: boolean;
  /** How long each bucket takes to drain now, in milliseconds, in the order that was asked. */
  readonly backlogsMs: readonly number[];
}

/** What an account has used by the ledger, in the day and the month that run. */
export interface Spent {
  readonly tokensDay: number;
  /** In micro-dollars. */
  readonly costMonth: number;
}

/** What a call may use, as far as is known before it. */
export interface Reservation {
  readonly leaseId: string;
  readonly userId: string;
  /** What is limited alike: the user, and the key if one was used. The first is the user. */
  readonly subjects: readonly string[];
  readonly tokens: number;
  readonly tokensPerMinute: number;
  /** In micro-dollars. */
  readonly cost: number;
  /** 1 for a generation, 0 for what is over in a moment. */
  readonly generations: number;
  readonly concurrency: number;
  /** Undefined where there is no such quota. */
  readonly tokensDay: number | undefined;
  readonly costMonth: number | undefined;
  /** The day in UTC that sums are kept for: `2026-11-21`. */
  readonly day: string;
}

/** What of a reservation was exceeded. */
export type Exceeded = 'tokens_day' | 'cost_month' | 'concurrency' | 'tokens';

/** What became of a reservation. A refused one has taken nothing. */
export type Reserved =
  | { readonly type: 'granted'; readonly backlogMs: number }
  | { readonly type: 'refused'; readonly by: Exceeded; readonly backlogMs: number }
  /** There is a quota, and what was used of it is not known here: ask again with it. */
  | { readonly type: 'spent_unknown' };

/** What a call has used in fact. */
export type Used = Pick<Reservation, 'tokens' | 'cost'>;

/**
 * Holds buckets and leases. Each method decides and takes in one step that no other one can come between.
 */
export abstract class LimitStore {
  /** Takes from all buckets or from none. */
  abstract take(buckets: readonly Bucket[]): Taken | Promise<Taken>;

  /**
   * Takes tokens and a place, and opens a lease.
   * @param spent what the ledger says, to be believed for `SPENT_TTL_MS`
   */
  abstract reserve(reservation: Reservation, spent?: Spent): Reserved | Promise<Reserved>;

  /** Closes a lease and corrects what was taken. The second time does nothing. */
  abstract settle(reservation: Reservation, used: Used): void | Promise<void>;
}

/** The bucket of a subject's tokens. The keys of one user share a hash tag, so that a cluster keeps them together. */
export function tokensKey(userId: string, subject: string): string {
  return `{${userId}}:tokens:${subject}`;
}

/** How long a sum of the ledger is believed, in milliseconds; what is settled meanwhile is added to it. */
export const SPENT_TTL_MS = 5_000;
