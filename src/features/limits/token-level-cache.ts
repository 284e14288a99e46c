import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../common/clock.js';

/** Accounts whose level is remembered. */
const CAPACITY = 50_000;

/** What this process saw last of the accounts' tokens, for the headers of answers. It decides nothing. */
@Injectable()
export class TokenLevelCache {
  private readonly drainedAt = new LRUCache<string, number>({ max: CAPACITY });

  constructor(private readonly clock: Clock) {}

  /** @param backlogMs how long the bucket takes to drain */
  record(userId: string, backlogMs: number): void {
    this.drainedAt.set(userId, this.clock.now() + backlogMs);
  }

  backlogOf(userId: string): number {
    const now = this.clock.now();
    return Math.max(0, (this.drainedAt.get(userId) ?? now) - now);
  }
}
