import type { Redis, Result } from 'ioredis';
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
import { RENEW, RESERVE, SETTLE, TAKE } from './limit-scripts.js';

/** Separates our keys from others in the same Redis. */
const PREFIX = 'parley:limits:';

/** Lifetime of a lease without renewal, in milliseconds: the longest time for which a dead process holds anything. */
export const LEASE_TTL_MS = 30_000;

type ScriptArguments = readonly (string | number)[];

/** The scripts as commands. ioredis sends each whole once a connection, and by its hash from then on. */
declare module 'ioredis' {
  interface RedisCommander<Context> {
    takeLimits(keyCount: number, ...keysAndValues: ScriptArguments): Result<string[], Context>;
    reserveLimits(keyCount: number, ...keysAndValues: ScriptArguments): Result<string[], Context>;
    settleLimits(keyCount: number, ...keysAndValues: ScriptArguments): Result<number, Context>;
  }
}

/**
 * The limits of all processes that share a Redis. Every method is one script, and fails while Redis is unavailable.
 */
export class RedisLimitStore extends LimitStore {
  /** @param now time for tests, instead of that of Redis */
  constructor(
    private readonly client: Redis,
    private readonly now: () => number | '' = () => '',
  ) {
    super();
    client.defineCommand('takeLimits', { lua: TAKE });
    client.defineCommand('reserveLimits', { lua: RESERVE });
    client.defineCommand('settleLimits', { lua: SETTLE });
  }

  /** Returns true if Redis responds. Never rejects. */
  answers(): Promise<boolean> {
    return this.client.ping().then(
      () => true,
      () => false,
    );
  }

  override async take(buckets: readonly Bucket[]): Promise<TakeResult> {
    const keys = buckets.map(({ key }) => PREFIX + key);
    const values = buckets.flatMap(({ limit, cost }) => [limit, cost]);
    const [allowed, ...backlogs] = await this.client.takeLimits(keys.length, ...keys, this.now(), ...values);
    return { allowed: allowed === '1', backlogsMs: backlogs.map(Number) };
  }

  override async reserve(reservation: Reservation, spent?: LedgerUsage): Promise<ReservationResult> {
    const { leaseId, tokens, tokensPerMinute, cost, generations, concurrency } = reservation;
    const { tokensDay = '', costMonth = '' } = reservation;
    const keys = keysOf(reservation);
    const [outcome, backlog] = await this.client.reserveLimits(
      keys.length,
      ...keys,
      this.now(),
      leaseId,
      LEASE_TTL_MS,
      tokens,
      tokensPerMinute,
      cost,
      generations,
      concurrency,
      tokensDay,
      costMonth,
      ...(spent === undefined ? ['', ''] : [spent.tokensDay, spent.costMonth]),
      SPENT_TTL_MS,
    );
    const backlogMs = Number(backlog);
    switch (outcome) {
      case 'granted':
        return { type: 'granted', backlogMs };
      case 'spent_unknown':
        return { type: 'spent_unknown' };
      case 'tokens':
      case 'concurrency':
      case 'tokens_day':
      case 'cost_month':
        return { type: 'refused', by: outcome, backlogMs };
      default:
        throw new Error('The reservation script returned an unexpected value.');
    }
  }

  override async settle(reservation: Reservation, used: ActualUsage): Promise<void> {
    const { leaseId, tokens, tokensPerMinute } = reservation;
    const values = [this.now(), leaseId, tokens, tokensPerMinute, used.tokens, used.cost];
    const keys = keysOf(reservation);
    await this.client.settleLimits(keys.length, ...keys, ...values);
  }

  /**
   * Keeps a lease alive for another `LEASE_TTL_MS`. Not a defined command: ioredis sends that again if Redis has
   * forgotten the script, so that a settlement sent in between would be undone by it.
   */
  async renew(reservation: Reservation): Promise<void> {
    const { leaseId, generations, tokens, cost, subjects, userId } = reservation;
    const keys = subjects.map((subject) => leasesKey(userId, subject));
    const values = [this.now(), leaseId, LEASE_TTL_MS, generations, tokens, cost];
    await this.client.eval(RENEW, keys.length, ...keys, ...values);
  }
}

function keysOf({ userId, day, subjects }: Reservation): string[] {
  return [
    `${PREFIX}{${userId}}:spent:${day}`,
    ...subjects.flatMap((subject) => [leasesKey(userId, subject), PREFIX + tokensKey(userId, subject)]),
  ];
}

function leasesKey(userId: string, subject: string): string {
  return `${PREFIX}{${userId}}:leases:${subject}`;
}
