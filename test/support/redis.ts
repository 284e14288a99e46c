import { describe, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { TestDatabase } from './database.js';

/** URL of the Redis of the test run, or undefined in a run without Redis. */
export const testRedisUrl = process.env['TEST_REDIS_URL'];

/**
 * Returns settings of every application with this database. Applications with one database share their keys,
 * jobs and channels; those with different databases, in this worker or another, never interfere in Redis.
 */
export function redisSettings(database: Pick<TestDatabase, 'name'>): Record<string, string> {
  if (testRedisUrl === undefined) return {};
  return { REDIS_URL: testRedisUrl, REDIS_KEY_PREFIX: redisKeyPrefix(database) };
}

/** Returns the prefix of the keys and channels of the applications with this database. */
export function redisKeyPrefix({ name }: Pick<TestDatabase, 'name'>): string {
  return `${name}:`;
}

/**
 * Removes the keys that the applications with a database left in Redis, if there is Redis. Never touches
 * other keys.
 */
export async function removeRedisKeys(database: Pick<TestDatabase, 'name'>): Promise<void> {
  if (testRedisUrl === undefined) return;
  const redis = new Redis(testRedisUrl);
  try {
    for await (const keys of redis.scanStream({ match: `${redisKeyPrefix(database)}*`, count: 1_000 })) {
      if (isKeyList(keys) && keys.length > 0) await redis.unlink(keys);
    }
  } finally {
    await redis.quit();
  }
}

function isKeyList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((key) => typeof key === 'string');
}

/** Defines tests that need Redis: skipped, and reported on stderr, in a run without it. */
export function describeWithRedis(name: string, tests: (redisUrl: string) => void): void {
  if (testRedisUrl !== undefined) {
    const url = testRedisUrl;
    describe(name, () => {
      tests(url);
    });
    return;
  }
  process.stderr.write(`SKIPPED: ${name}: REDIS_URL is not set\n`);
  describe.skip(name, () => {
    tests('redis://unset');
  });
}

/** `it` for behavior that exists only without Redis; the test's name must say so. */
export const itWithoutRedis = testRedisUrl === undefined ? it : it.skip;
