import { setTimeout } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { RedisConnection } from '../../infra/redis/index.js';
import type {
  Bucket,
  Reservation,
  ReservationResult,
  LedgerUsage,
  TakeResult,
  ActualUsage,
} from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { LEASE_TTL_MS, RedisLimitStore } from './redis-limit-store.js';

/** Pause between two checks for the return of Redis, in milliseconds. */
const LOOK_AGAIN_MS = 250;

/** Number of renewals within the lifetime of a lease, so that one renewal may fail. */
const RENEWALS = 3;

/** Usage of a reservation that Redis may have granted but never confirmed. */
const NOTHING: ActualUsage = { tokens: 0, cost: 0 };

/** A granted reservation and the store that granted it. */
export interface Grant {
  readonly reservation: Reservation;
  readonly byRedis: boolean;
}

/**
 * Uses Redis if configured, and memory while it is unavailable or not configured. Memory starts empty when it takes
 * over: in the meantime, each process counts separately.
 */
@Injectable()
export class FailoverLimitStore implements OnApplicationShutdown {
  /** Interval between renewals of the leases, in milliseconds. */
  protected readonly renewEveryMs: number = LEASE_TTL_MS / RENEWALS;
  private readonly logger = new Logger(FailoverLimitStore.name);
  private readonly memory: MemoryLimitStore;
  private readonly redis: RedisLimitStore | undefined;
  private readonly held = new Set<Grant>();
  /** Settlements that Redis has not confirmed yet. */
  private readonly unsettled = new Map<Grant, ActualUsage>();
  /** True after Redis failed to respond; requests bypass it until it responds again. */
  private isUnavailable = false;
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
  async take(buckets: readonly Bucket[]): Promise<TakeResult> {
    return (await this.shared((redis) => redis.take(buckets))) ?? this.memory.take(buckets);
  }

  /**
   * Opens a lease. The caller must settle a granted lease exactly once.
   * @param reservation must have a new lease id, because the lease may be revoked in Redis later
   */
  async reserve(
    reservation: Reservation,
    spent?: LedgerUsage,
  ): Promise<{ reserved: ReservationResult; grant: Grant }> {
    const byRedis = await this.shared((redis) => this.reserveInRedis(redis, reservation, spent));
    const reserved = byRedis ?? this.memory.reserve(reservation, spent);
    const grant = { reservation, byRedis: byRedis !== undefined };
    if (grant.byRedis && reserved.type === 'granted') this.hold(grant);
    return { reserved, grant };
  }

  /** Settles a lease with the store that granted it, even if another is in use now. Never fails: it is retried. */
  settle(grant: Grant, used: ActualUsage): void {
    this.held.delete(grant);
    if (!grant.byRedis) this.memory.settle(grant.reservation, used);
    else void this.settleInRedis(grant, used);
  }

  onApplicationShutdown(): void {
    this.closed = true;
    clearInterval(this.heartbeat);
  }

  /**
   * Returns the response of Redis. Resolves to undefined if Redis fails to respond; returns undefined immediately if
   * it is not configured or known to be unavailable.
   */
  private shared<Answer>(
    ask: (redis: RedisLimitStore) => Promise<Answer>,
  ): Promise<Answer | undefined> | undefined {
    const { redis, connection } = this;
    if (redis === undefined || connection.client?.status !== 'ready') return undefined;
    if (this.isUnavailable) return undefined;
    return ask(redis).catch((error: unknown) => {
      this.logger.debug({ err: error }, 'Redis does not respond; using in-memory limits for now');
      void this.awaitReturn(redis);
      return undefined;
    });
  }

  /**
   * Uses memory until Redis responds again. Only this polls Redis, because each request would wait for the whole
   * timeout.
   */
  private async awaitReturn(redis: RedisLimitStore): Promise<void> {
    if (this.isUnavailable) return;
    this.isUnavailable = true;
    while (this.isUnavailable && !this.closed) {
      await setTimeout(LOOK_AGAIN_MS, undefined, { ref: false });
      this.isUnavailable = !(await redis.answers());
    }
  }

  /**
   * Revokes the reservation if Redis fails to respond: it may have opened the lease anyway, and nobody else would
   * settle it.
   */
  private async reserveInRedis(
    redis: RedisLimitStore,
    reservation: Reservation,
    spent?: LedgerUsage,
  ): Promise<ReservationResult> {
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

  /** Renews all leases and retries pending settlements. Never rejects. */
  private async renew(): Promise<void> {
    const { redis } = this;
    if (redis === undefined) return;
    const renewed = Array.from(this.held, ({ reservation }) =>
      redis.renew(reservation).catch(() => undefined),
    );
    await Promise.all([...renewed, this.settleTheRest()]);
  }

  /** Settles one lease at a time and stops at the first failure: a hanging Redis need not receive all of them. */
  private async settleTheRest(): Promise<void> {
    for (const [grant, used] of Array.from(this.unsettled)) {
      if (!(await this.settleInRedis(grant, used))) return;
    }
  }

  /** Returns true if Redis confirmed the settlement; otherwise stores it for a retry. Never rejects. */
  private async settleInRedis(grant: Grant, used: ActualUsage): Promise<boolean> {
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
