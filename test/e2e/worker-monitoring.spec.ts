// Real components: built workers as separate processes, PostgreSQL, and a separate Redis server.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { at, send } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { scrape } from '../support/metrics.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { until } from '../support/stored.js';

if (!HAS_REDIS_SERVER) process.stderr.write('SKIPPED: monitoring of a worker: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('a worker process', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let database: TestDatabase;
  let redis: RedisServer;
  const workers: ServerProcess[] = [];

  beforeEach(async () => {
    dataDir = await makeDataDir();
    database = await createMigratedDatabase();
    redis = await RedisServer.reserve();
  });

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.end('SIGKILL')));
    await redis.stop();
    await database.drop();
    await dataDir.remove();
  });

  function start(more: Readonly<Record<string, string>> = {}): ServerProcess {
    const settings = { DATA_DIR: dataDir.path, DATABASE_URL: database.url, REDIS_URL: redis.url };
    const worker = startServer({ ...settings, ...more }, 'worker.js');
    workers.push(worker);
    return worker;
  }

  async function urlOf(worker: ServerProcess): Promise<string> {
    const line = await worker.printed(/health and metrics at/);
    return line.replace(/^.* at /, '');
  }

  it('is live without Redis, ready with it, counts its jobs, and leaves its port at the end', async () => {
    const worker = start();
    const url = await urlOf(worker);
    expect((await send(`${url}/health/live`)).status).toBe(200);
    expect((await send(`${url}/health/ready`)).status).toBe(503);
    const before = await scrape(url);
    expect(before.sum('parley_redis_connected')).toBe(0);
    expect(before.sum('parley_collector_up', { collector: 'jobs' })).toBe(0);
    await redis.start();
    await until('the worker to be ready', async () => (await send(`${url}/health/ready`)).status === 200);
    const after = await until('the jobs to be counted', async () => {
      const metrics = await scrape(url);
      return metrics.find('parley_jobs').length > 0 && metrics;
    });
    expect(after.sum('parley_redis_connected')).toBe(1);
    expect(at((await send(`${url}/health`)).body, 'redis')).toBe('ok');

    const second = start({ WORKER_PORT: new URL(url).port });
    expect(await second.exited).toBe(1);
    expect(second.output).toContain(`WORKER_PORT ${new URL(url).port} on 127.0.0.1 is already in use.`);
    expect(second.output).not.toContain('    at ');
    expect((await send(`${url}/health/live`)).status).toBe(200);

    expect(await worker.end('SIGTERM')).toBe(0);
    await expect(send(`${url}/health/live`)).rejects.toThrow();
  });
});
