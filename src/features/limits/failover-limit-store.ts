import { setTimeout } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { RedisConnection } from '../../infra/redis/index.js';
import type { Bucket, Reservation, Reserved, Spent, Taken, Used } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { LEASE_TTL_MS, RedisLimitStore } from './redis-limit-store.js';

/** How long after each failure Redis is looked at again, in milliseconds. */
const LOOK_AGAIN_MS = 250;

/** A lease is renewed this many times within its life, so that one renewal may fail. */
const RENEWALS = 3;

/** What a call has used that was never made by the word of Redis. */
const NOTHING: Used = { tokens: 0, cost: 0 };

/** A reservation that was granted, and by whom. */
export interface Grant {
  readonly reservation: Reservation;
  readonly byRedis: boolean;
}

/**
 * Redis where there is one, and memory while it is away or not there at all. Memory begins empty when it takes over:
 * for the while, each process counts for itself.
 */
@Injectable()
export class FailoverLimitStore implements OnApplicationShutdown {
  /** How often leases are renewed, in milliseconds. */
  protected readonly renewEveryMs: number = LEASE_TTL_MS / RENEWALS;
  private readonly logger = new Logger(FailoverLimitStore.name);
  private readonly memory: MemoryLimitStore;
  private readonly redis: RedisLimitStore | undefined;
  private readonly held = new Set<Grant>();
  /** What Redis could not be told yet. */
  private readonly unsettled = new Map<Grant, Used>();
  /** Redis failed to answer; until it does again, requests do not ask it. */
  private away = false;
  private closed = false;
  private heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: RedisConnection,
    clock: Clock,
  ) {
    this.memory = new MemoryLimitStore(clock);
    if (connection.client !== undefined) this.redis = new RedisLimitStore(connection.client);
  }

  /** Takes from all buckets or from none. */
  async take(buckets: readonly Bucket[]): Promise<Taken> {
    return (await this.shared((redis) => redis.take(buckets))) ?? this.memory.take(buckets);
  }

  /**
   * Opens a lease. Whoever gets a grant settles it, once.
   * @param reservation with a lease id that was not asked for before: it may be taken back in Redis later on
   */
  async reserve(reservation: Reservation, spent?: Spent): Promise<{ reserved: Reserved; grant: Grant }> {
    const byRedis = await this.shared((redis) => this.reserveInRedis(redis, reservation, spent));
    const reserved = byRedis ?? this.memory.reserve(reservation, spent);
    const grant = { reservation, byRedis: byRedis !== undefined };
    if (grant.byRedis && reserved.type === 'granted') this.hold(grant);
    return { reserved, grant };
  }

  /** Closes a lease with the store that granted it, whichever is in use now. Never fails: it is tried again. */
  settle(grant: Grant, used: Used): void {
    this.held.delete(grant);
    if (!grant.byRedis) this.memory.settle(grant.reservation, used);
    else void this.settleInRedis(grant, used);
  }

  onApplicationShutdown(): void {
    this.closed = true;
    clearInterval(this.heartbeat);
  }

  /** What Redis says; undefined where it is not there or does not answer, and nothing at all where that is known already. */
  private shared<Answer>(
    ask: (redis: RedisLimitStore) => Promise<Answer>,
  ): Promise<Answer | undefined> | undefined {
    const { redis, connection } = this;
    if (redis === undefined || connection.client?.status !== 'ready') return undefined;
    if (this.away) return undefined;
    return ask(redis).catch((error: unknown) => {
      this.logger.debug({ err: error }, 'Redis does not respond; using in-memory limits for now');
      void this.awaitReturn(redis);
      return undefined;
    });
  }

  /** Requests go by memory until Redis answers, which only this waits for: each would wait its whole timeout. */
  private async awaitReturn(redis: RedisLimitStore): Promise<void> {
    if (this.away) return;
    this.away = true;
    while (this.away && !this.closed) {
      await setTimeout(LOOK_AGAIN_MS, undefined, { ref: false });
      this.away = !(await redis.answers());
    }
  }

  /** A Redis that does not answer may have opened the lease all the same, which nobody would settle then. */
  private async reserveInRedis(
    redis: RedisLimitStore,
    reservation: Reservation,
    spent?: Spent,
  ): Promise<Reserved> {
    try {
      return await redis.reserve(reservation, spent);
    } catch (error) {
      void this.settleInRedis({ reservation, byRedis: true }, NOTHING);
      throw error;
    }
  }

  private hold(grant: Grant): void {
    this.held.add(grant);
    this.beat();
  }

  private beat(): void {
    this.heartbeat ??= setInterval(() => void this.renew(), this.renewEveryMs).unref();
  }

  /** Never rejects. */
  private async renew(): Promise<void> {
    const { redis } = this;
    if (redis === undefined) return;
    const renewed = Array.from(this.held, ({ reservation }) =>
      redis.renew(reservation).catch(() => undefined),
    );
    await Promise.all([...renewed, this.settleTheRest()]);
  }

  /** One after the other, and no further than to the first that fails: a Redis that hangs need not hear them all. */
  private async settleTheRest(): Promise<void> {
    for (const [grant, used] of Array.from(this.unsettled)) {
      if (!(await this.settleInRedis(grant, used))) return;
    }
  }

  /** Whether Redis has heard of it; what it has not is kept for later. Never rejects. */
  private async settleInRedis(grant: Grant, used: Used): Promise<boolean> {
    this.unsettled.set(grant, used);
    try {
      await this.redis?.settle(grant.reservation, used);
      this.unsettled.delete(grant);
      return true;
    } catch (error) {
      this.logger.debug({ err: error }, 'could not settle a lease yet; it expires on its own otherwise');
      this.beat();
      return false;
    }
  }
}
