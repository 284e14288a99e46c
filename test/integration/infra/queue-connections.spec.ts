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

itWithoutRedis.each(['CREATE SCHEMA', 'FROM migration', 'COMMIT'])(
  'a process survives the loss of the database while a queue connects, at the reply to %s',
  async (statement) => {
    const lost = proxy.cutAtReplyTo(statement);
    const module = await Test.createTestingModule({
      imports: [
        QueueModule.forRoot({ redisUrl: undefined, redisKeyPrefix: '', connectionString: proxy.url }),
        registerQueue('lost'),
      ],
    }).compile();
    const queue = module.get<Queue>(getQueueToken('lost'), { strict: false });
    await expect(queue.waitUntilReady()).rejects.toThrow();
    await lost;
    proxy.restore();
    await module.close();
    expect(uncaught.splice(0)).toEqual([]);
  },
);
