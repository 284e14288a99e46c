// Each case sets up its own applications or limit stores, and most also a proxy that can cut off Redis.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { Clock } from '../../../../src/common/clock.js';
import type { Reservation } from '../../../../src/features/limits/limit-store.js';
import { FailoverLimitStore } from '../../../../src/features/limits/failover-limit-store.js';
import { LEASE_TTL_MS, RedisLimitStore } from '../../../../src/features/limits/redis-limit-store.js';
import { RedisConnection } from '../../../../src/infra/redis/index.js';
import { startApi } from '../../../support/api.js';
import { at, registerUser, userWith, type TestUser } from '../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { complete, countByStatus } from '../../../support/limits.js';
import { describeWithRedis, redisKeyPrefix, redisSettings } from '../../../support/redis.js';
import { startServer } from '../../../support/server-process.js';
import { setUpProvider } from '../../../support/set-up.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';

// A separate file, because a process uses one kind of queue for its whole life.

const provider = setUpProvider();
let database: TestDatabase;

beforeAll(async () => {
  database = await createMigratedDatabase();
});

afterAll(async () => {
  await database.drop();
});

function environment(redis: string, limits: Readonly<Record<string, string>>): Record<string, string> {
  return {
    OPENAI_BASE_URL: `${provider.origin}/v1`,
    JWT_SECRET: 'one secret for all processes of these tests',
    LLM_MAX_RETRIES: '0',
    WORKER: 'separate',
    REDIS_URL: redis,
    ...limits,
  };
}

/**
 * Maximum wait for a store to take over, in milliseconds: less than the 20 s after which a limit of 3 requests a minute
 * accepts another one anyway, and than the lifetime of a lease.
 */
const REFILL_MS = 15_000;

/** Repeats the request until its response has the given status. */
async function becomes(status: number, ask: () => Promise<{ status: number }>): Promise<void> {
  const began = performance.now();
  while ((await ask()).status !== status) {
    if (performance.now() - began > REFILL_MS)
      throw new Error(`It was not ${status} within ${REFILL_MS} ms.`);
  }
}

const me = (user: TestUser) => user.request('GET', '/api/v1/users/me');

describeWithRedis('with Redis', (redisUrl) => {
  it('10 of 50 concurrent requests are accepted, whichever process they reach', async () => {
    const settings = environment(redisUrl, { RATE_LIMIT_RPM: '10' });
    const one = await startApi(settings, database);
    const two = await startApi(settings, database);
    try {
      const user = await registerUser(one.url);
      const other = userWith(two.url, user.token);
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => me(index % 2 ? user : other)),
      );
      expect(countByStatus(answers)).toEqual({ 200: 10, 429: 40 });
    } finally {
      await one.close();
      await two.close();
    }
  });

  it('answers running in one process take the concurrency slots of the other', async () => {
    const settings = environment(redisUrl, { RATE_LIMIT_CONCURRENCY: '1' });
    const one = await startApi(settings, database);
    const two = await startApi(settings, database);
    try {
      const user = await registerUser(one.url);
      const other = userWith(two.url, user.token);
      const gate = gatedAnswer(['one']);
      provider.script(gate);
      const arrived = provider.nextRequest('chat');
      const running = complete(user);
      await arrived;
      expect((await complete(other)).status).toBe(429);
      gate.finish();
      expect((await running).status).toBe(200);
      await becomes(200, () => complete(other));
    } finally {
      await one.close();
      await two.close();
    }
  });

  it('limits fall back to memory during a Redis outage, and return to Redis afterwards', async () => {
    const proxy = await TcpProxy.start(redisUrl);
    const api = await startApi(environment(proxy.url, { RATE_LIMIT_RPM: '3' }), database);
    try {
      const user = await registerUser(api.url);
      const first = await Promise.all(Array.from({ length: 4 }, () => me(user)));
      expect(countByStatus(first)).toEqual({ 200: 3, 429: 1 });
      proxy.cut();
      // The limits in memory start empty: requests that Redis refused are accepted at first, and then limited
      // again.
      await becomes(200, () => me(user));
      const away = await Promise.all(Array.from({ length: 4 }, () => me(user)));
      expect(countByStatus(away)).toEqual({ 200: 2, 429: 2 });
      // A user without limits in Redis yet, whom the limits in memory refuse.
      const other = await registerUser(api.url);
      await Promise.all(Array.from({ length: 4 }, () => me(other)));
      expect((await me(other)).status).toBe(429);
      proxy.restore();
      await becomes(200, () => me(other));
    } finally {
      proxy.restore();
      await api.close();
      await proxy.close();
    }
  });

  it('only the first request waits for an unresponsive Redis, and Redis is used again once it responds', async () => {
    const proxy = await TcpProxy.start(redisUrl);
    const connection = new RedisConnection(proxy.url, redisKeyPrefix(database));
    const stores = new FailoverLimitStore(connection, new Clock());
    const userId = randomUUID();
    const isShared = async (): Promise<boolean> => {
      const { grant } = await stores.reserve(reservation(userId, 1_000_000));
      stores.settle(grant, { tokens: 0, cost: 0 });
      return grant.byRedis;
    };
    try {
      if (connection.client?.status !== 'ready') await once(connection.client ?? process, 'ready');
      expect(await isShared()).toBe(true);
      proxy.pause();
      const asked = jest.spyOn(RedisLimitStore.prototype, 'reserve');
      for (let count = 0; count < 300; count += 1) {
        expect(await isShared()).toBe(false);
        await setTimeout(5);
      }
      expect(asked).toHaveBeenCalledTimes(1);
      asked.mockRestore();
      proxy.resume();
      const isBack = async () => {
        // Decisions in memory take no turn of the event loop, so a reply of Redis would not be processed.
        await setTimeout(5);
        return { status: (await isShared()) ? 200 : 0 };
      };
      await becomes(200, isBack);
    } finally {
      proxy.resume();
      stores.onApplicationShutdown();
      connection.onApplicationShutdown();
      await proxy.close();
    }
  });

  it('a lease granted by Redis is not settled in memory after an outage', async () => {
    const proxy = await TcpProxy.start(redisUrl);
    const limits = { RATE_LIMIT_CONCURRENCY: '1' };
    const api = await startApi(environment(proxy.url, limits), database);
    const client = new Redis(redisUrl);
    try {
      const user = await registerUser(api.url);
      const gate = gatedAnswer(['one']);
      provider.script(gate);
      const arrived = provider.nextRequest('chat');
      const running = complete(user);
      await arrived;
      const [key = ''] = await client.keys(`*${idOf(user)}*leases*`);
      expect(await client.hlen(key)).toBe(1);
      proxy.cut();
      gate.finish();
      expect((await running).status).toBe(200);
      // Redis could not be notified, so the lease expires by itself.
      expect(await client.hlen(key)).toBe(1);
      expect(await client.pttl(key)).toBeLessThanOrEqual(LEASE_TTL_MS);
      // The limits in memory have no running answer.
      expect((await complete(user)).status).toBe(200);
    } finally {
      await client.quit();
      proxy.restore();
      await api.close();
      await proxy.close();
    }
  });

  it('a lease is renewed while it is held, and settled as soon as Redis is available', async () => {
    class HastyStores extends FailoverLimitStore {
      protected override readonly renewEveryMs = 20;
    }
    const proxy = await TcpProxy.start(redisUrl);
    const connection = new RedisConnection(proxy.url, redisKeyPrefix(database));
    const client = new Redis(redisUrl);
    const stores = new HastyStores(connection, new Clock());
    try {
      if (connection.client?.status !== 'ready') await once(connection.client ?? client, 'ready');
      const userId = randomUUID();
      const { reserved, grant } = await stores.reserve(reservation(userId, 1));
      expect([reserved.type, grant.byRedis]).toEqual(['granted', true]);
      const key = `${redisKeyPrefix(database)}parley:limits:{${userId}}:leases:user:${userId}`;
      const first = await client.hgetall(key);
      await becomes(1, async () => ({ status: changed(first, await client.hgetall(key)) }));
      proxy.cut();
      stores.settle(grant, { tokens: 1, cost: 0 });
      expect(await client.hlen(key)).toBe(1);
      proxy.restore();
      await becomes(0, async () => ({ status: await client.hlen(key) }));
    } finally {
      stores.onApplicationShutdown();
      connection.onApplicationShutdown();
      await client.quit();
      await proxy.close();
    }
  });

  it('a lease that Redis granted without the reply arriving is returned', async () => {
    class HastyStores extends FailoverLimitStore {
      protected override readonly renewEveryMs = 20;
    }
    const proxy = await TcpProxy.start(redisUrl);
    const connection = new RedisConnection(proxy.url, redisKeyPrefix(database));
    const client = new Redis(redisUrl);
    const stores = new HastyStores(connection, new Clock());
    try {
      if (connection.client?.status !== 'ready') await once(connection.client ?? client, 'ready');
      const userId = randomUUID();
      const keysOfUser = () => client.keys(`${redisKeyPrefix(database)}parley:limits:{${userId}}:*`);
      proxy.pause();
      const { reserved, grant } = await stores.reserve(reservation(userId, 1));
      expect([reserved.type, grant.byRedis]).toEqual(['granted', false]);
      expect(await keysOfUser()).toContain(
        `${redisKeyPrefix(database)}parley:limits:{${userId}}:leases:user:${userId}`,
      );
      proxy.resume();
      // The lease and its tokens, long before they expire, and while the call still runs with limits in
      // memory.
      await becomes(0, async () => ({ status: (await keysOfUser()).length }));
      stores.settle(grant, { tokens: 1, cost: 0 });
    } finally {
      proxy.resume();
      stores.onApplicationShutdown();
      connection.onApplicationShutdown();
      await client.quit();
      await proxy.close();
    }
  });

  it('the leases of a killed process expire', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'parley-limits-'));
    const settings = environment(redisUrl, { RATE_LIMIT_CONCURRENCY: '2' });
    const server = startServer({
      ...redisSettings(database),
      ...settings,
      DATA_DIR: dataDir,
      DATABASE_URL: database.url,
      NODE_ENV: 'test',
    });
    const client = new Redis(redisUrl, { keyPrefix: redisKeyPrefix(database) });
    try {
      const user = await registerUser((await server.ready).replace(/\/$/, ''));
      provider.script(gatedAnswer(['one']), gatedAnswer(['two']));
      const arrived = [provider.nextRequest('chat'), provider.nextRequest('chat')];
      const left = [complete(user), complete(user)].map((asked) => asked.catch(() => undefined));
      await Promise.all(arrived);
      expect((await complete(user)).status).toBe(429);
      expect(await server.end('SIGKILL')).toBe('SIGKILL');
      await Promise.all(left);
      const next = (): Reservation => reservation(idOf(user), 2);
      const now = new RedisLimitStore(client);
      expect(await now.reserve(next())).toMatchObject({ by: 'concurrency' });
      const killedAt = Date.now();
      const later = new RedisLimitStore(client, () => killedAt + LEASE_TTL_MS);
      expect(await later.reserve(next())).toMatchObject({ type: 'granted' });
    } finally {
      await server.end('SIGKILL');
      await client.quit();
      await rm(dataDir, { recursive: true });
    }
  });
});

/** A reservation for a small call of a user. */
function reservation(userId: string, concurrency: number): Reservation {
  return {
    leaseId: randomUUID(),
    userId,
    subjects: [`user:${userId}`],
    tokens: 1,
    tokensPerMinute: 200_000,
    cost: 0,
    generations: 1,
    concurrency,
    tokensDay: undefined,
    costMonth: undefined,
    day: '2026-11-21',
  };
}

/** Returns 1 if a lease has another expiry than before. */
function changed(before: Record<string, string>, after: Record<string, string>): number {
  const [lease = ''] = Object.keys(before);
  return after[lease] !== undefined && after[lease] !== before[lease] ? 1 : 0;
}

/** Reads the account id from an access token. */
function idOf({ token }: TestUser): string {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  return String(at(claims, 'sub'));
}
