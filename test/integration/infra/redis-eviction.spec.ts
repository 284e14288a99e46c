// Real components: a separate Redis server whose memory policy changes.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { Redis } from 'ioredis';
import { RedisConnection } from '../../../src/infra/redis/index.js';
import { HAS_REDIS_SERVER, RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/stored.js';

const closing: (() => unknown)[] = [];
const warnings: string[] = [];

const recorder: LoggerService = {
  log: () => undefined,
  error: () => undefined,
  warn: (line: unknown) => warnings.push(String(line)),
};

afterEach(async () => {
  warnings.length = 0;
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(policy: string): Promise<RedisServer> {
  const server = await RedisServer.reserve();
  await server.start('--maxmemory-policy', policy);
  closing.push(() => server.stop());
  return server;
}

function connect({ url }: RedisServer): RedisConnection {
  Logger.overrideLogger(recorder);
  const redis = new RedisConnection(url);
  closing.push(() => {
    redis.onApplicationShutdown();
  });
  return redis;
}

/** Waits until the commands that the connection sent when it became ready are answered. */
async function untilChecked(redis: RedisConnection): Promise<void> {
  await redis.waitUntilReady();
  await redis.client?.ping();
}

if (!HAS_REDIS_SERVER) process.stderr.write('SKIPPED: eviction by Redis: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('a connection to a Redis', () => {
  it('that evicts keys is warned about once, with the policy and the remedy', async () => {
    const server = await start('allkeys-lru');
    const redis = connect(server);
    await untilChecked(redis);
    expect(warnings).toEqual([
      'Redis evicts keys when its memory is full (maxmemory-policy allkeys-lru), which can lose jobs and limits; use noeviction',
    ]);
    await reconnect(server, redis);
    expect(warnings).toHaveLength(1);
  });

  it('that evicts nothing is not warned about', async () => {
    await untilChecked(connect(await start('noeviction')));
    expect(warnings).toEqual([]);
  });

  /** Cuts all connections and waits for the next one. */
  async function reconnect(server: RedisServer, redis: RedisConnection): Promise<void> {
    const admin = new Redis(server.url);
    closing.push(() => {
      admin.disconnect();
    });
    const ended = new Promise((resolve) => redis.client?.once('close', resolve));
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal');
    await ended;
    await until('the connection to be ready', () => redis.client?.status === 'ready');
    await redis.client?.ping();
  }
});
