// Real components: the worker's application over PostgreSQL, and its monitoring port.
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { NestFactory } from '@nestjs/core';
import type { INestApplicationContext } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ShutdownState } from '../../../src/common/shutdown-state.js';
import { exportRuntimeMetrics } from '../../../src/app/runtime-metrics.js';
import { WorkerModule } from '../../../src/app/worker.module.js';
import { WorkerServer } from '../../../src/app/worker-server.js';
import { at, send } from '../../support/client.js';
import { runtimeOver } from '../../support/composition.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import { query, until } from '../../support/stored.js';
import { scrape } from '../../support/metrics.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const TOKEN = 'Zq7vX2rTz9mYw4BnJd1hGs8aPf6cLe3u';

let database: TestDatabase;
let proxy: TcpProxy;
let app: INestApplicationContext | undefined;
let server: WorkerServer | undefined;

beforeEach(async () => {
  database = await createMigratedDatabase();
  proxy = await TcpProxy.start(database.url);
});

afterEach(async () => {
  await server?.close();
  proxy.restore();
  await app?.close();
  app = undefined;
  await proxy.close();
  await database.drop();
  server = undefined;
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const runtime = runtimeOver(proxy.url, { WORKER_PORT: '0', ...environment });
  server = await WorkerServer.listen(runtime.config);
  app = await NestFactory.createApplicationContext(WorkerModule.forRoot(runtime), { logger: false });
  exportRuntimeMetrics(app);
  server.serve(app);
  return server.url;
}

describe('the monitoring port of a worker', () => {
  it('is not ready on a schema that it cannot work with, nor once its process shuts down', async () => {
    const url = await start();
    await query(
      database,
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, started_at, applied_steps_count)
       VALUES ('breaking', 'sum', '20991231000000_breaking', now(), now(), 1)`,
    );
    expect(await send(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { error: { message: expect.stringContaining('belongs to a newer version') } },
    });
    await query(database, "DELETE FROM _prisma_migrations WHERE id = 'breaking'");
    expect((await send(`${url}/health/ready`)).status).toBe(200);
    app?.get(ShutdownState).request();
    expect(await send(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { error: { message: 'The worker is shutting down.' } },
    });
  });

  it('serves the metrics of its jobs and pool, and its health', async () => {
    const url = await start();
    // Just after the start, the queues may not have their tables yet.
    const metrics = await until('the metrics of all queues', async () => {
      const found = await scrape(url);
      return new Set(found.find('parley_jobs').map(({ labels }) => labels['queue'])).size === 7 && found;
    });
    expect(metrics.find('parley_jobs_finished_total', { job_outcome: 'completed' })).toHaveLength(7);
    expect(metrics.sum('db_client_connection_max')).toBe(10);
    expect(metrics.find('parley_provider_calls_running', { gen_ai_provider_name: 'demo' })).toHaveLength(1);
    for (const path of ['/health/live', '/health/ready']) {
      expect(await send(`${url}${path}`)).toMatchObject({ status: 200, body: { status: 'ok' } });
    }
    expect((await send(`${url}/health`)).body).toMatchObject({ status: 'ok', database: 'ok', redis: 'ok' });
  });

  it('is live and not ready while the worker starts', async () => {
    server = await WorkerServer.listen(runtimeOver(proxy.url, { WORKER_PORT: '0' }).config);
    const statuses = ['/health/live', '/health/ready', '/health', '/metrics', '/nope'].map(
      async (path) => (await send(`${server?.url ?? ''}${path}`)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 503, 503, 503, 404]);
  });

  it('serves nothing else', async () => {
    const url = await start();
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/docs'],
      ['GET', '/metrics/x'],
      ['GET', '/api/v1/users/me'],
      ['POST', '/health'],
      ['DELETE', '/metrics'],
    ] as const) {
      const { status, body } = await send(`${url}${path}`, { method });
      expect([path, status, at(body, 'error', 'code')]).toEqual([path, 404, 'not_found']);
    }
  });

  it('requires the metrics token for the metrics only', async () => {
    const url = await start({ METRICS_TOKEN: TOKEN });
    expect((await send(`${url}/metrics`)).status).toBe(401);
    expect((await scrape(url, TOKEN)).sum('parley_build_info')).toBe(1);
    expect((await send(`${url}/health/ready`)).status).toBe(200);
  });

  it('answers 404 to a scrape in production without a token', async () => {
    const url = await start({
      NODE_ENV: 'production',
      ENCRYPTION_KEY: 'Vx3qK8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
    });
    const { status, body } = await send(`${url}/metrics`);
    expect([status, at(body, 'error', 'message')]).toEqual([404, expect.stringContaining('METRICS_TOKEN')]);
  });

  it('is live and not ready while the database is away', async () => {
    const url = await start();
    proxy.cut();
    expect((await send(`${url}/health/ready`)).status).toBe(503);
    expect((await send(`${url}/health/live`)).status).toBe(200);
    expect((await send(`${url}/health`)).body).toMatchObject({ status: 'unavailable', redis: 'ok' });
    expect((await send(`${url}/metrics`)).status).toBe(200);
  });

  it('that is in use is reported with the setting to change', async () => {
    const other: Server = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const port = String(at(other.address(), 'port'));
      await expect(start({ WORKER_PORT: port })).rejects.toThrow(
        `WORKER_PORT ${port} on 127.0.0.1 is already in use. Set WORKER_PORT to another port`,
      );
    } finally {
      other.close();
      await once(other, 'close');
    }
  });

  it('is free again after it was closed, although a client keeps its connection', async () => {
    const url = await start();
    await send(`${url}/health/live`);
    await server?.close();
    await expect(send(`${url}/health/live`)).rejects.toThrow();
    server = undefined;
  });
});
