import type { Redis } from 'ioredis';
import { RedisScript } from '../../infra/redis/index.js';
import {
  type Bucket,
  LimitStore,
  type Reservation,
  type Reserved,
  type Spent,
  SPENT_TTL_MS,
  type Taken,
  tokensKey,
  type Used,
} from './limit-store.js';
import { RENEW, RESERVE, SETTLE, TAKE } from './lua.js';

/** Separates our keys from others in the same Redis. */
const PREFIX = 'parley:limits:';

/** Lifetime of a lease without renewal, in milliseconds: the longest time for which a dead process holds anything. */
export const LEASE_TTL_MS = 30_000;

const take = new RedisScript(TAKE);
const reserve = new RedisScript(RESERVE);
const settle = new RedisScript(SETTLE);

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
  }

  /** Returns true if Redis responds. Never rejects. */
  answers(): Promise<boolean> {
    return this.client.ping().then(
      () => true,
      () => false,
    );
  }

  override async take(buckets: readonly Bucket[]): Promise<Taken> {
    const keys = buckets.map(({ key }) => PREFIX + key);
    const values = buckets.flatMap(({ limit, cost }) => [limit, cost]);
    const [allowed, ...backlogs] = texts(await take.run(this.client, keys, [this.now(), ...values]));
    return { allowed: allowed === '1', backlogsMs: backlogs.map(Number) };
  }

  override async reserve(reservation: Reservation, spent?: Spent): Promise<Reserved> {
    const { leaseId, tokens, tokensPerMinute, cost, generations, concurrency } = reservation;
    const { tokensDay = '', costMonth = '' } = reservation;
    const [outcome, backlog] = texts(
      await reserve.run(this.client, keysOf(reservation), [
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
      ]),
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

  override async settle(reservation: Reservation, used: Used): Promise<void> {
    const { leaseId, tokens, tokensPerMinute } = reservation;
    const values = [this.now(), leaseId, tokens, tokensPerMinute, used.tokens, used.cost];
    await settle.run(this.client, keysOf(reservation), values);
  }

  /**
   * Keeps a lease alive for another `LEASE_TTL_MS`. Sent whole, so that it is one command: what is sent over the
   * connection after it, a settlement, is done after it, and cannot be undone by it.
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

function texts(answer: unknown): string[] {
  if (Array.isArray(answer)) return answer.map(String);
  throw new Error('A limit script returned something other than a list.');
}
