import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';

/** Maximum age of an entry in memory in front of Redis, in milliseconds. */
const NEAR_TTL_MS = 30_000;

/** A text in memory takes two bytes a UTF-16 unit at the most. */
const BYTES_PER_UNIT = 2;

/** Keeps our keys apart from what else a Redis holds. */
const PREFIX = 'parley:cache:';

/**
 * Texts that may be forgotten at any time: memory in front of Redis, or memory alone. Nothing here ever fails: what
 * Redis does not tell in time was not there.
 */
export class SharedCache {
  private readonly logger = new Logger(SharedCache.name);
  private readonly memory: LRUCache<string, string>;

  /** @param redis fails at once while it is away */
  constructor(
    private readonly redis: Redis | undefined,
    options: { readonly maxBytes: number },
  ) {
    this.memory = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: (text, key) => (text.length + key.length) * BYTES_PER_UNIT,
    });
  }

  async get(key: string): Promise<string | undefined> {
    const near = this.memory.get(key);
    if (near !== undefined || this.redis === undefined) return near;
    const far = unwrap(await this.redis.get(PREFIX + key).catch(this.missed));
    if (far === undefined) return undefined;
    this.memory.set(key, far.text, { ttl: Math.min(far.ttlMs, NEAR_TTL_MS) });
    return far.text;
  }

  async set(key: string, text: string, ttlMs: number): Promise<void> {
    this.memory.set(key, text, { ttl: this.redis === undefined ? ttlMs : Math.min(ttlMs, NEAR_TTL_MS) });
    await this.redis?.set(PREFIX + key, wrap(text, ttlMs), 'PX', ttlMs).catch(this.missed);
  }

  /** Redis is away, or slower than what it would save. The connection itself tells the operator once. */
  private readonly missed = (error: unknown): undefined => {
    this.logger.debug({ err: error }, 'could not access the cache');
    return undefined;
  };
}

/** With the time at which it grows old, so that the memory of another process does not keep it longer. */
function wrap(text: string, ttlMs: number): string {
  return `${Date.now() + ttlMs}:${text}`;
}

function unwrap(value: unknown): { readonly text: string; readonly ttlMs: number } | undefined {
  if (typeof value !== 'string') return undefined;
  const colon = value.indexOf(':');
  const ttlMs = Number(value.slice(0, colon)) - Date.now();
  return colon > 0 && ttlMs > 0 ? { text: value.slice(colon + 1), ttlMs } : undefined;
}
