// Real components: the API on a socket, and a PostgreSQL of this test that stops, hangs and comes back.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT } from '../../../src/config/index.js';
import { type EmbeddedServer, startEmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import { applyMigrations } from '../../../src/infra/database/migrations.js';
import { startApi, type TestApi } from '../../support/api.js';
import { at, send } from '../../support/client.js';
import { makeTemporaryDirectory } from '../../support/embedded-database.js';
import { scrape } from '../../support/metrics.js';
import { until } from '../../support/stored.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

/**
 * Maximum time for a probe or a scrape while the database is silent, in milliseconds. Both end by a limit of their own,
 * far below the 10 s after which the pool takes a silent connection for broken.
 */
const PROBE_MS = 8_000;

const directory = makeTemporaryDirectory();
let postgres: EmbeddedServer;
let proxy: TcpProxy;
let api: TestApi;

beforeAll(async () => {
  postgres = await startEmbeddedServer({ dataDir: join(directory.path, 'data'), report: () => undefined });
  await applyMigrations({
    connectionString: postgres.connectionString,
    directory: join(PACKAGE_ROOT, 'prisma', 'migrations'),
    report: () => undefined,
  });
  proxy = await TcpProxy.start(postgres.connectionString);
  api = await startApi({ REDIS_URL: '' }, { name: 'probes', url: proxy.url, drop: () => Promise.resolve() });
});

afterAll(async () => {
  await api.close();
  await proxy.close();
  await postgres.stop();
  await directory.remove();
});

/** Sends a probe and returns its status and duration. */
async function probe(path: string): Promise<{ readonly status: number; readonly ms: number }> {
  const startedAt = performance.now();
  const { status } = await send(`${api.url}${path}`);
  return { status, ms: performance.now() - startedAt };
}

async function expectAway(): Promise<void> {
  const [ready, live] = await Promise.all([probe('/health/ready'), probe('/health/live')]);
  expect(ready.status).toBe(503);
  expect(ready.ms).toBeLessThan(PROBE_MS);
  expect(live.status).toBe(200);
  const { status, body } = await send(`${api.url}/health`);
  expect([status, at(body, 'status'), at(body, 'database')]).toEqual([200, 'unavailable', 'unavailable']);
}

async function expectScrapeWithoutJobs(): Promise<void> {
  const metrics = await until('the cached numbers of jobs to expire', async () => {
    const scraped = await scrape(api.url);
    return scraped.sum('parley_collector_up') === 0 && scraped;
  });
  expect(metrics.find('parley_jobs')).toEqual([]);
  expect(metrics.sum('parley_build_info')).toBe(1);
  const again = await probe('/metrics');
  expect(again.status).toBe(200);
  expect(again.ms).toBeLessThan(PROBE_MS);
}

async function expectBack(): Promise<void> {
  await until('the server to be ready again', async () => (await probe('/health/ready')).status === 200);
  await until(
    'the jobs to be counted again',
    async () => (await scrape(api.url)).find('parley_jobs').length > 0,
  );
}

describe('while PostgreSQL is away, the process is live, not ready within 2 s, and back by itself', () => {
  it('if the server stops and starts again', async () => {
    expect((await probe('/health/ready')).status).toBe(200);
    await scrape(api.url);
    await postgres.stop();
    await expectAway();
    await expectScrapeWithoutJobs();
    const { port } = postgres;
    const dataDir = join(directory.path, 'data');
    postgres = await startEmbeddedServer({ dataDir, report: () => undefined, preferredPort: port });
    expect(postgres.port).toBe(port);
    await expectBack();
  });

  it('if the server hangs and goes on', async () => {
    proxy.pause();
    await expectAway();
    await expectScrapeWithoutJobs();
    proxy.resume();
    await expectBack();
  });
});
