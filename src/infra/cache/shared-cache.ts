import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';

/** How long this process believes its memory where Redis is shared with others, who may have removed an entry. Milliseconds. */
const NEAR_TTL_MS = 30_000;

/** A text in memory takes two bytes a UTF-16 unit at the most. */
const BYTES_PER_UNIT = 2;

/** Keeps our keys apart from what else a Redis holds. */
const PREFIX = 'parley:cache:';

/** Keys of one step of a removal. */
const SCAN_COUNT = 500;

/**
 * Texts that may be forgotten at any time: memory in front of Redis, or memory alone. Nothing here ever fails: what
 * Redis does not tell in time was not there.
 */
export class SharedCache {
  private readonly logger = new Logger('Cache');
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

  /** Removes all entries whose key begins so. Other processes forget theirs within `NEAR_TTL_MS`. */
  async removeAll(keyPrefix: string): Promise<void> {
    for (const key of this.memory.keys()) if (key.startsWith(keyPrefix)) this.memory.delete(key);
    const { redis } = this;
    if (redis === undefined) return;
    // SCAN takes and answers whole names; the other commands add the connection's prefix themselves.
    const connectionPrefix = redis.options.keyPrefix ?? '';
    const match = `${escapePattern(connectionPrefix + PREFIX + keyPrefix)}*`;
    let cursor = '0';
    do {
      const page = await redis.scan(cursor, 'MATCH', match, 'COUNT', SCAN_COUNT).catch(this.missed);
      if (!Array.isArray(page)) return;
      const [next, keys] = page;
      if (keys.length > 0)
        await redis.unlink(keys.map((key) => key.slice(connectionPrefix.length))).catch(this.missed);
      cursor = next;
    } while (cursor !== '0');
  }

  /** Redis is away, or slower than what it would save. The connection itself tells the operator once. */
  private readonly missed = (error: unknown): undefined => {
    this.logger.debug({ err: error }, 'the cache was asked in vain');
    return undefined;
  };
}

function escapePattern(text: string): string {
  return text.replace(/[*?[\]\\^-]/g, '\\$&');
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
