/** One dimension of a request limit. */
export interface Bucket {
  readonly key: string;
  /** Units per minute, and maximum burst. */
  readonly limit: number;
  /** Units to take; 0 only reads the state. */
  readonly cost: number;
}

/** The result of taking from buckets. */
export interface TakeResult {
  readonly allowed: boolean;
  /** Time that each bucket now takes to drain, in milliseconds, in the order of the request. */
  readonly backlogsMs: readonly number[];
}

/** Usage of an account according to the ledger, in the current day and month. */
export interface LedgerUsage {
  readonly tokensDay: number;
  /** In micro-dollars. */
  readonly costMonth: number;
}

/** The maximum usage of a call, as far as it is known in advance. */
export interface Reservation {
  readonly leaseId: string;
  readonly userId: string;
  /** Entities with the same limits: the user, and the API key if one was used. The user comes first. */
  readonly subjects: readonly string[];
  readonly tokens: number;
  readonly tokensPerMinute: number;
  /** In micro-dollars. */
  readonly cost: number;
  /** 1 for a generation, 0 for a call that ends almost immediately. */
  readonly generations: number;
  readonly concurrency: number;
  /** Undefined if there is no such quota. */
  readonly tokensDay: number | undefined;
  readonly costMonth: number | undefined;
  /** The UTC day of the sums: `2026-11-21`. */
  readonly day: string;
}

/** The limit that a reservation exceeded. */
export type ExceededLimit = 'tokens_day' | 'cost_month' | 'concurrency' | 'tokens';

/** The result of a reservation. A refused one has taken nothing. */
export type ReservationResult =
  | { readonly type: 'granted'; readonly backlogMs: number }
  | { readonly type: 'refused'; readonly by: ExceededLimit; readonly backlogMs: number }
  /** There is a quota, and its usage is not known here: call again with `spent`. */
  | { readonly type: 'spent_unknown' };

/** The actual usage of a call. */
export type ActualUsage = Pick<Reservation, 'tokens' | 'cost'>;

/** Stores buckets and leases. Each method decides and takes atomically. */
export abstract class LimitStore {
  /** Takes from all buckets or from none. */
  abstract take(buckets: readonly Bucket[]): TakeResult | Promise<TakeResult>;

  /**
   * Takes tokens and a concurrency slot, and opens a lease.
   * @param spent usage according to the ledger, valid for `SPENT_TTL_MS`
   */
  abstract reserve(
    reservation: Reservation,
    spent?: LedgerUsage,
  ): ReservationResult | Promise<ReservationResult>;

  /** Closes a lease and corrects what was taken. A second call has no effect. */
  abstract settle(reservation: Reservation, used: ActualUsage): void | Promise<void>;
}

/**
 * Returns the key of a subject's token bucket. The keys of one user share a hash tag, so that they are on the same
 * node of a cluster.
 */
export function tokensKey(userId: string, subject: string): string {
  return `{${userId}}:tokens:${subject}`;
}

/** Validity of a sum of the ledger, in milliseconds; settlements in the meantime are added to it. */
export const SPENT_TTL_MS = 5_000;
