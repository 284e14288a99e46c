import { LRUCache } from 'lru-cache';
import type { Clock } from '../../common/clock.js';
import { unitIntervalMs, ORIGIN_MS, waitUntilFitsMs } from './gcra.js';
import {
  type Bucket,
  LimitStore,
  type Reservation,
  type ReservationResult,
  type LedgerUsage,
  SPENT_TTL_MS,
  type TakeResult,
  tokensKey,
  type ActualUsage,
} from './limit-store.js';

/** Maximum number of buckets in memory, about 10 MB. The least recently used one is evicted and starts full again. */
const CAPACITY = 50_000;

/** The open leases of one subject and their totals. */
interface Open {
  readonly leases: Map<string, Reservation>;
  running: number;
  tokens: number;
  cost: number;
}

/**
 * The limits of one process. Every method is synchronous from its first read to its last write, which makes it
 * atomic: no other request can run in between. Its leases do not expire, because they end with the process.
 */
export class MemoryLimitStore extends LimitStore {
  /** Time at which each bucket will have drained, by key. */
  private readonly drainedAt = new LRUCache<string, number>({ max: CAPACITY });
  private readonly open = new Map<string, Open>();
  private readonly spent = new LRUCache<string, { value: LedgerUsage; readonly until: number }>({
    max: CAPACITY,
  });

  constructor(private readonly clock: Clock) {
    super();
  }

  override take(buckets: readonly Bucket[]): TakeResult {
    const now = this.clock.now() - ORIGIN_MS;
    const backlogsMs = buckets.map(({ key }) => this.backlog(key, now));
    const allowed = buckets.every(
      ({ limit, cost }, index) => cost === 0 || waitUntilFitsMs(backlogsMs[index] ?? 0, limit, cost) <= 0,
    );
    if (!allowed) return { allowed, backlogsMs };
    return {
      allowed,
      backlogsMs: buckets.map(({ key, limit, cost }, index) => {
        const backlog = backlogsMs[index] ?? 0;
        return cost === 0 ? backlog : this.fill(key, now, cost * unitIntervalMs(limit));
      }),
    };
  }

  override reserve(reservation: Reservation, spent?: LedgerUsage): ReservationResult {
    const { userId, subjects, tokens, tokensPerMinute, generations, concurrency } = reservation;
    const now = this.clock.now() - ORIGIN_MS;
    const backlogs = subjects.map((subject) => this.backlog(tokensKey(userId, subject), now));
    const backlogMs = Math.max(...backlogs);
    const exceeded = this.exceededQuota(reservation, now, spent);
    if (exceeded === 'spent_unknown') return { type: 'spent_unknown' };
    if (exceeded !== undefined) return { type: 'refused', by: exceeded, backlogMs };
    const running = Math.max(...subjects.map((subject) => this.open.get(subject)?.running ?? 0));
    if (generations > 0 && running + generations > concurrency)
      return { type: 'refused', by: 'concurrency', backlogMs };
    if (tokens > 0 && waitUntilFitsMs(backlogMs, tokensPerMinute, tokens) > 0)
      return { type: 'refused', by: 'tokens', backlogMs };
    for (const subject of subjects) {
      this.fill(tokensKey(userId, subject), now, tokens * unitIntervalMs(tokensPerMinute));
      this.openFor(subject, reservation);
    }
    return { type: 'granted', backlogMs: backlogMs + tokens * unitIntervalMs(tokensPerMinute) };
  }

  override settle(reservation: Reservation, used: ActualUsage): void {
    const { leaseId, userId, subjects, tokensPerMinute, tokens } = reservation;
    const now = this.clock.now() - ORIGIN_MS;
    for (const subject of subjects) {
      const open = this.open.get(subject);
      if (open?.leases.delete(leaseId) !== true) return;
      open.running -= reservation.generations;
      open.tokens -= tokens;
      open.cost -= reservation.cost;
      if (open.leases.size === 0) this.open.delete(subject);
      this.fill(tokensKey(userId, subject), now, (used.tokens - tokens) * unitIntervalMs(tokensPerMinute));
    }
    const spent = this.spent.get(spentKey(reservation));
    if (spent === undefined) return;
    const { tokensDay, costMonth } = spent.value;
    spent.value = { tokensDay: tokensDay + used.tokens, costMonth: costMonth + used.cost };
  }

  private exceededQuota(
    reservation: Reservation,
    now: number,
    spent: LedgerUsage | undefined,
  ): 'spent_unknown' | 'tokens_day' | 'cost_month' | undefined {
    const { tokensDay, costMonth, tokens, cost, userId, subjects } = reservation;
    if (tokensDay === undefined && costMonth === undefined) return undefined;
    const key = spentKey({ userId, day: reservation.day });
    if (spent !== undefined) this.spent.set(key, { value: spent, until: now + SPENT_TTL_MS });
    const known = this.spent.get(key);
    if (known === undefined || known.until <= now) return 'spent_unknown';
    const open = this.open.get(subjects[0] ?? '') ?? { tokens: 0, cost: 0 };
    if (tokensDay !== undefined && known.value.tokensDay + open.tokens + tokens > tokensDay)
      return 'tokens_day';
    if (costMonth !== undefined && known.value.costMonth + open.cost + cost > costMonth) return 'cost_month';
    return undefined;
  }

  private openFor(subject: string, reservation: Reservation): void {
    const open = this.open.get(subject) ?? { leases: new Map(), running: 0, tokens: 0, cost: 0 };
    open.leases.set(reservation.leaseId, reservation);
    open.running += reservation.generations;
    open.tokens += reservation.tokens;
    open.cost += reservation.cost;
    this.open.set(subject, open);
  }

  private backlog(key: string, now: number): number {
    return Math.max(0, (this.drainedAt.get(key) ?? now) - now);
  }

  private fill(key: string, now: number, ms: number): number {
    const drainedAt = now + this.backlog(key, now) + ms;
    this.drainedAt.set(key, drainedAt);
    return Math.max(0, drainedAt - now);
  }
}

function spentKey({ userId, day }: Pick<Reservation, 'userId' | 'day'>): string {
  return `${userId}:${day}`;
}
