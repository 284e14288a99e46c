// Real components: BullMQ on PostgreSQL, behind a proxy that the test cuts.
import { getQueueToken } from '@nestjs/bullmq';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect } from '@jest/globals';
import type { Queue } from 'bullmq';
import { QueueModule, registerQueue } from '../../../src/infra/queue/index.js';
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
