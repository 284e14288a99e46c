import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../common/clock.js';

/** Maximum number of accounts in the cache. */
const CAPACITY = 50_000;

/**
 * Caches the last known token level of accounts in this process, for response headers. It has no effect on decisions.
 */
@Injectable()
export class TokenLevelCache {
  private readonly drainedAt = new LRUCache<string, number>({ max: CAPACITY });

  constructor(private readonly clock: Clock) {}

  /** @param backlogMs time that the bucket takes to drain */
  record(userId: string, backlogMs: number): void {
    this.drainedAt.set(userId, this.clock.now() + backlogMs);
  }

  backlogOf(userId: string): number {
    const now = this.clock.now();
    return Math.max(0, (this.drainedAt.get(userId) ?? now) - now);
  }
}
