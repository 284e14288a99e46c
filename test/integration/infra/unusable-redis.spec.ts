// Real components: a separate Redis server that requires a password, an HTTP server and a TCP server in its place.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LoggerService, Logger } from '@nestjs/common';
import { createRedisBackend } from 'bullmq';
import { ManagedQueue, ManagedWorker } from '../../../src/infra/queue/managed-queue.js';
import { RedisConnection } from '../../../src/infra/redis/index.js';
import { HAS_REDIS_SERVER, RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/stored.js';

/** Time for many attempts to connect, in milliseconds. */
const WHILE_MS = 1_500;

/** Collects the lines that a process prints with the default level. */
class Recorder implements LoggerService {
  readonly lines: string[] = [];

  log(message: unknown): void {
    this.lines.push(`log ${String(message)}`);
  }

  warn(...line: unknown[]): void {
    this.lines.push(`warn ${JSON.stringify(line)}`);
  }

  error(...line: unknown[]): void {
    this.lines.push(`error ${JSON.stringify(line)}`);
  }

  debug(): void {
    this.attempts += 1;
  }

  /** Number of errors that were not printed. */
  attempts = 0;
}

let recorder: Recorder;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  recorder = new Recorder();
  Logger.overrideLogger(recorder);
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Opens all the connections of a process and waits for many failures. */
async function connect(url: string): Promise<RedisConnection> {
  const redis = new RedisConnection(url);
  closing.push(() => {
    redis.onApplicationShutdown();
  });
  const connection = { url, retryStrategy: () => 50, maxRetriesPerRequest: null };
  const options = { connection, backendFactory: createRedisBackend };
  const queue = new ManagedQueue('unusable', options);
  const worker = new ManagedWorker('unusable', () => Promise.resolve(), options);
  closing.push(
    () => queue.close(),
    () => worker.close(),
  );
  await delay(WHILE_MS);
  return redis;
}

async function urlOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return `redis://127.0.0.1:${String(address.port)}`;
}

const unavailable = (reason: string): string[] => [
  `warn ${JSON.stringify([`Redis is unavailable (${reason}); continuing without it`, 'RedisConnection'])}`,
];

describe('the log of a process that reaches a server but cannot use it', () => {
  it('says once that an HTTP server is at the address of Redis', async () => {
    await connect(await urlOf(createHttpServer((_request, response) => response.end('hello'))));
    expect(recorder.lines).toEqual(unavailable('the server does not speak the Redis protocol'));
    expect(recorder.attempts).toBeGreaterThan(10);
  });

  it('says once that a server closes every connection', async () => {
    await connect(await urlOf(createServer((socket) => socket.end())));
    expect(recorder.lines).toEqual(unavailable('it closed the connection'));
  });
});

(HAS_REDIS_SERVER ? describe : describe.skip)(
  'the log of a process with a Redis that requires a password',
  () => {
    let server: RedisServer;

    beforeEach(async () => {
      server = await RedisServer.reserve();
      await server.start('--requirepass', 'open sesame');
      closing.push(() => server.stop());
    });

    it('says once that it has none, and again that another one is wrong', async () => {
      await connect(server.url);
      expect(recorder.lines).toEqual(unavailable('NOAUTH'));
      recorder.lines.length = 0;
      await connect(server.url.replace('//', '//:wrong@'));
      expect(recorder.lines).toEqual(unavailable('WRONGPASS'));
      expect(recorder.attempts).toBeGreaterThan(10);
    });

    it('says that the password is missing if Redis comes back with one, and when it is available again', async () => {
      await server.stop();
      await server.start();
      const redis = await connect(server.url);
      expect(await redis.isReachable()).toBe(true);
      await server.stop();
      await until('the outage to be logged', () => Promise.resolve(recorder.lines.length > 0));
      await server.start('--requirepass', 'open sesame');
      await until('the refusal to be logged', () => Promise.resolve(recorder.lines.length > 1));
      await server.stop();
      await server.start();
      await redis.waitUntilReady();
      await delay(WHILE_MS);
      expect(recorder.lines).toEqual([
        expect.stringMatching(/^warn .*Redis is unavailable \(E/) as unknown,
        ...unavailable('NOAUTH'),
        'log Redis is available again',
      ]);
    });
  },
);
