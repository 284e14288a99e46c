// Real components: BullMQ on PostgreSQL, behind a proxy that the test cuts.
import { getQueueToken } from '@nestjs/bullmq';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { createPostgresBackend, type Queue, setDefaultBackendFactory, Worker } from 'bullmq';
import { QueueModule, registerQueue } from '../../../src/infra/queue/index.js';
import { QueuePool } from '../../../src/infra/queue/queue-pool.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import { itWithoutRedis } from '../../support/redis.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

let database: TestDatabase;
let proxy: TcpProxy;
const uncaught: unknown[] = [];

function remember(error: unknown): void {
  uncaught.push(error);
}

beforeEach(async () => {
  process.on('uncaughtExceptionMonitor', remember);
  database = await createMigratedDatabase();
  proxy = await TcpProxy.start(database.url);
});

afterEach(async () => {
  process.off('uncaughtExceptionMonitor', remember);
  await proxy.close();
  await database.drop();
});

itWithoutRedis.each(['CREATE SCHEMA', 'COMMIT', 'AS server_version'])(
  'a process survives the loss of the database while its queues connect, at the reply to %s',
  async (statement) => {
    const lost = proxy.cutAtReplyTo(statement);
    const start = Test.createTestingModule({
      imports: [
        QueueModule.forRoot({ redisUrl: undefined, redisKeyPrefix: '', connectionString: proxy.url }),
        registerQueue('lost'),
      ],
    })
      .compile()
      .then(async (module) => {
        const queue = module.get<Queue>(getQueueToken('lost'), { strict: false });
        await queue.waitUntilReady().finally(() => module.close());
      });
    await expect(start).rejects.toThrow();
    await lost;
    expect(uncaught.splice(0)).toEqual([]);
  },
);

itWithoutRedis(
  'the connections close, although a worker that was closed while it started took one afterwards',
  async () => {
    setDefaultBackendFactory(createPostgresBackend);
    const pool = await QueuePool.open(proxy.url);
    const worker = new Worker('early', () => Promise.resolve(), { connection: pool, autorun: false });
    const ready = worker.waitUntilReady().catch((error: unknown) => error);
    await worker.close();
    await ready;
    await pool.close();
    expect(proxy.connections).toBe(0);
  },
);

itWithoutRedis(
  'a connection that is still used when the connections close ends, and may be returned',
  async () => {
    const pool = await QueuePool.open(proxy.url);
    const client = await pool.connect();
    const waiting = client.query('SELECT pg_sleep(600)').catch((error: unknown) => error);
    const connecting = pool
      .connect()
      .then((late) => late.query('SELECT 1'))
      .catch((error: unknown) => error);
    await pool.close();
    expect(await waiting).toBeInstanceOf(Error);
    expect(await connecting).toBeInstanceOf(Error);
    client.release();
    expect(uncaught.splice(0)).toEqual([]);
  },
);
