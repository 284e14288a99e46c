import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';

/** Maximum age of an entry in the in-memory cache in front of Redis, in milliseconds. */
const NEAR_TTL_MS = 30_000;

/** Maximum size of a string in memory, in bytes per UTF-16 code unit. */
const BYTES_PER_UNIT = 2;

/** Separates our keys from others in the same Redis. */
const PREFIX = 'parley:cache:';

/**
 * Caches strings that may be evicted at any time: in memory in front of Redis, or in memory only. It never fails: if
 * Redis does not respond in time, that is a cache miss.
 */
export class SharedCache {
  private readonly logger = new Logger(SharedCache.name);
  private readonly memory: LRUCache<string, string>;

  /** @param redis must fail immediately while Redis is unavailable */
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

  /**
   * Handles a Redis that is unavailable or too slow. The connection itself reports an outage to the operator once.
   */
  private readonly missed = (error: unknown): undefined => {
    this.logger.debug(
      { err: error },
      'could not reach the shared cache; continuing with the cache in memory',
    );
    return undefined;
  };
}

/** Adds the expiry time to the text, so that the memory of another process does not keep the entry longer. */
function wrap(text: string, ttlMs: number): string {
  return `${Date.now() + ttlMs}:${text}`;
}

function unwrap(value: unknown): { readonly text: string; readonly ttlMs: number } | undefined {
  if (typeof value !== 'string') return undefined;
  const colon = value.indexOf(':');
  const ttlMs = Number(value.slice(0, colon)) - Date.now();
  return colon > 0 && ttlMs > 0 ? { text: value.slice(colon + 1), ttlMs } : undefined;
}
