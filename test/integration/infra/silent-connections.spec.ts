// Real components: PostgreSQL and, if available, Redis, behind a proxy that can swallow all data.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { PrismaService, type Transaction } from '../../../src/infra/database/index.js';
import { RedisConnection } from '../../../src/infra/redis/index.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import { describeWithRedis } from '../../support/redis.js';
import { query, until } from '../../support/stored.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

/** Replaces a timeout of seconds, in milliseconds; longer than any operation of the server here. */
const SILENCE_MS = 500;

// Both clients log the failures, which would only clutter the output.
Logger.overrideLogger(false);

const AWAY = { code: 'service_unavailable' };

describe('a PostgreSQL connection that falls silent', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let prisma: PrismaService;

  beforeAll(async () => {
    database = await createMigratedDatabase();
    await query(database, 'CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL)');
  });

  beforeEach(async () => {
    await query(database, 'INSERT INTO counters VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET value = 0');
    proxy = await TcpProxy.start(database.url);
    prisma = new PrismaService({ connectionString: proxy.url, poolMax: 2, silenceMs: SILENCE_MS });
  });

  afterEach(async () => {
    await prisma.onApplicationShutdown();
    await proxy.close();
  });

  afterAll(async () => {
    await database.drop();
  });

  async function backendOf(client: Transaction): Promise<unknown> {
    const [row] = await client.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    return row?.pid;
  }

  /** Returns the ids of the server processes of both connections in the pool. */
  async function backends(): Promise<readonly unknown[]> {
    const both = Promise.withResolvers<null>();
    let begun = 0;
    const one = (): Promise<unknown> =>
      prisma.transaction(async (transaction) => {
        const pid = await backendOf(transaction);
        begun += 1;
        if (begun === 2) both.resolve(null);
        await both.promise;
        return pid;
      });
    return Promise.all([one(), one()]);
  }

  it('fails pending queries, and all connections are replaced, including idle ones', async () => {
    const before = await backends();
    proxy.swallow();
    await expect(prisma.run((client) => client.$queryRaw`SELECT 1`)).rejects.toMatchObject(AWAY);
    proxy.resume();
    const after = await backends();
    expect(new Set([...before, ...after]).size).toBe(4);
  });

  it('leaves nothing of its transaction, whose locks end with the server’s timeout', async () => {
    const hasty = new PrismaService({
      connectionString: proxy.url,
      poolMax: 1,
      silenceMs: SILENCE_MS,
      statementTimeoutMs: SILENCE_MS,
    });
    const lost = hasty.transaction(async (transaction) => {
      await transaction.$executeRaw`UPDATE counters SET value = value + 1 WHERE id = 1`;
      proxy.swallow();
      await transaction.$executeRaw`UPDATE counters SET value = value + 1 WHERE id = 1`;
    });
    await expect(lost).rejects.toMatchObject(AWAY);
    // The proxy still swallows all data: the server does not know that its client is gone, and ends the
    // transaction by itself.
    expect(
      await query(database, 'UPDATE counters SET value = value + 10 WHERE id = 1 RETURNING value'),
    ).toEqual([{ value: 10 }]);
    proxy.resume();
    await hasty.onApplicationShutdown();
  });

  it('that breaks during its setup is reported as an unavailable database', async () => {
    const lost = proxy.cutAtReplyTo('statement_timeout');
    const asked = prisma.run((client) => client.$queryRaw`SELECT 1`);
    await lost;
    await expect(asked).rejects.toMatchObject(AWAY);
    proxy.restore();
    await prisma.run((client) => client.$queryRaw`SELECT 1`);
  });

  it('is distinguished from a slow statement, which the server cancels', async () => {
    const hasty = new PrismaService({
      connectionString: proxy.url,
      poolMax: 1,
      silenceMs: 60_000,
      statementTimeoutMs: SILENCE_MS,
    });
    await expect(hasty.run((client) => client.$queryRaw`SELECT pg_sleep(60)::text`)).rejects.toMatchObject(
      AWAY,
    );
    await hasty.onApplicationShutdown();
  });

  it('is distinguished from one that delivers rows slowly', async () => {
    const rows = await prisma.run(
      (client) => client.$queryRaw<unknown[]>`
        SELECT i, repeat('x', 100000) AS text, pg_sleep(0.1)::text FROM generate_series(1, 12) AS i`,
    );
    expect(rows).toHaveLength(12);
  });
});

describeWithRedis('a Redis connection that falls silent', (redisUrl) => {
  it('causes a single timeout: no command is sent until a new connection has answered', async () => {
    const proxy = await TcpProxy.start(redisUrl);
    const redis = new RedisConnection(proxy.url);
    const client = redis.client;
    try {
      const answers = async (): Promise<unknown> => client?.ping().catch(() => undefined);
      await until('Redis to answer', answers);
      proxy.swallow();
      await expect(client?.ping()).rejects.toThrow();
      // No command is sent, so there is no wait.
      await expect(client?.ping()).rejects.toThrow(/writ/);
      proxy.resume();
      expect(await until('Redis to answer again', answers)).toBe('PONG');
    } finally {
      redis.onApplicationShutdown();
      await proxy.close();
    }
  });
});
