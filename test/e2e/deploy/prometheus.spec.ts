// Real components: Prometheus scrapes the built API and worker, and runs every expression of the monitoring profile.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { at, collect, listAt, registerUser, send } from '../../support/client.js';
import { COMPOSE_SECRETS } from '../../support/compose-file.js';
import { makeDataDir } from '../../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import {
  describeWithProgram,
  findProgram,
  type FoundProgram,
  PROMETHEUS,
} from '../../support/debian-program.js';
import { type FakeProvider, startFakeProvider } from '../../support/fake-provider/fake-provider.js';
import { freePort } from '../../support/free-port.js';
import { alertRules, dashboardExpressions, PROMETHEUS_FILE, RULES_FILE } from '../../support/monitoring.js';
import { HAS_REDIS_SERVER, RedisServer } from '../../support/redis-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';
import { until } from '../../support/stored.js';

const TOKEN = COMPOSE_SECRETS.METRICS_TOKEN;

/** Maximum duration of the start of all processes on a busy machine, in milliseconds. */
const START_MS = 180_000;

/** Panels without data unless a process restarts. Their expressions are run all the same. */
const EMPTY_WITHOUT_RESTART = ['Deployments'];

const found = await findProgram(PROMETHEUS);

/** Returns Prometheus, or the first reason why these tests cannot run here. */
function programOrReason(): FoundProgram {
  if (!HAS_REDIS_SERVER) return { missing: 'redis-server is not installed' };
  return found;
}

describeWithProgram('Prometheus with the files of deploy/prometheus', programOrReason(), (program) => {
  let provider: FakeProvider;
  let database: TestDatabase;
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let redis: RedisServer;
  let api: ServerProcess;
  let worker: ServerProcess;
  let folder: string;
  let prometheus: ChildProcess;
  let url: string;

  beforeAll(async () => {
    provider = await startFakeProvider();
    database = await createMigratedDatabase();
    dataDir = await makeDataDir();
    redis = await RedisServer.reserve();
    await redis.start();
    const workerPort = await freePort();
    const settings = {
      ...COMPOSE_SECRETS,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      AUTH_REGISTRATION: 'open',
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      DATA_DIR: dataDir.path,
      WORKER: 'separate',
      WORKER_PORT: workerPort,
      SHUTDOWN_DELAY_S: '0',
      OPENAI_BASE_URL: provider.baseUrl,
      MODEL_PRICES: '{"openai/*":{"input":1,"output":2}}',
      MODEL_ALIASES: '{"safe":["openai/broken","openai/test-model"]}',
      DEFAULT_MODEL: 'openai/test-model',
      // Makes V8 collect garbage within the seconds that this test takes.
      NODE_OPTIONS: '--max-semi-space-size=1',
      LLM_MAX_RETRIES: '1',
      LLM_MAX_CONCURRENCY: '2',
      LLM_MAX_QUEUE: '1',
      RATE_LIMIT_RPM: '30',
    };
    api = startServer(settings);
    worker = startServer(settings, 'worker.js');
    const apiUrl = await api.ready;
    await worker.printed(/running jobs/);

    folder = await mkdtemp(join(tmpdir(), 'parley-prometheus-'));
    const port = await freePort();
    await writeFile(join(folder, 'token'), TOKEN);
    const config = await configurationFor({ api: new URL(apiUrl).host, worker: `127.0.0.1:${workerPort}` });
    await writeFile(join(folder, 'prometheus.yml'), config);
    url = `http://127.0.0.1:${port}`;
    prometheus = spawn(
      program,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    await until(
      'a first scrape of both',
      async () => (await query('sum(up{job=~"parley-.+"}) == 2')).length > 0,
      START_MS,
    );
    await makeTraffic(apiUrl);
    // Two scrapes after the traffic, so that every rate has two samples.
    const seen = await scrapes();
    await until('two more scrapes', async () => (await scrapes()) >= seen + 2, START_MS);
  }, START_MS);

  afterAll(async () => {
    const closed = once(prometheus, 'close');
    prometheus.kill('SIGTERM');
    await closed;
    await Promise.all([api.end('SIGTERM'), worker.end('SIGTERM')]);
    await redis.stop();
    await database.drop();
    await dataDir.remove();
    await provider.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Returns prometheus.yml with the addresses and files of this test and a shorter interval. */
  async function configurationFor(targets: Readonly<Record<'api' | 'worker', string>>): Promise<string> {
    const config = parse(await readFile(PROMETHEUS_FILE, 'utf8')) as Record<string, unknown>;
    const jobs = listAt(config, 'scrape_configs').flatMap((job) => {
      const name = String(at(job, 'job_name'));
      if (name !== 'parley-api' && name !== 'parley-worker') return [];
      const { dns_sd_configs, ...rest } = Object(job) as Record<string, unknown>;
      expect(dns_sd_configs).toHaveLength(1);
      const target = targets[name === 'parley-api' ? 'api' : 'worker'];
      return [
        {
          ...rest,
          authorization: { credentials_file: join(folder, 'token') },
          static_configs: [{ targets: [target] }],
        },
      ];
    });
    return stringify({
      ...config,
      global: { scrape_interval: '500ms', evaluation_interval: '500ms' },
      rule_files: [RULES_FILE],
      scrape_configs: jobs,
    });
  }

  /** Uses what the metrics are about: turns, the cache, failures, fallbacks, full queues and limits. */
  async function makeTraffic(apiUrl: string): Promise<void> {
    const user = await registerUser(apiUrl);
    await collect(user.stream('/api/v1/chat/stream', { message: 'Hello' }));
    for (let times = 0; times < 2; times += 1)
      await user.request('POST', '/v1/chat/completions', {
        messages: [{ role: 'user', content: 'The same' }],
        cache: true,
      });
    provider.script(...Array.from({ length: 2 }, () => ({ kind: 'error', status: 503 }) as const));
    await user.request('POST', '/api/v1/chat', { message: 'Hi', model: 'safe' });
    await user.request('POST', '/api/v1/chat', { message: 'Hi', model: 'none/such' });
    // Two run, one waits, and the others are refused.
    provider.setDefault({ kind: 'answer', delayBeforeMs: 300 });
    const ask = (): Promise<unknown> => user.request('POST', '/api/v1/chat', { message: 'Hi' });
    await Promise.all(Array.from({ length: 6 }, ask));
    for (let times = 0; times < 40; times += 1) await user.request('GET', '/api/v1/users/me');
  }

  async function query(expression: string): Promise<unknown[]> {
    const response = await send(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`).catch(
      () => undefined,
    );
    // Not listening yet, or listening and not ready.
    if (response === undefined || response.status === 503) return [];
    if (at(response.body, 'status') !== 'success')
      throw new Error(`${expression}: ${JSON.stringify(response.body)}`);
    return listAt(response.body, 'data', 'result');
  }

  /** Counts the samples of the API that Prometheus has. */
  async function scrapes(): Promise<number> {
    return Number(at((await query('count_over_time(up{job="parley-api"}[10m])'))[0], 'value', 1));
  }

  it('scrapes the API and the worker with the token', async () => {
    const targets = listAt((await send(`${url}/api/v1/targets`)).body, 'data', 'activeTargets');
    expect(
      targets.map((target) => [at(target, 'labels', 'job'), at(target, 'lastError')]).toSorted(),
    ).toEqual([
      ['parley-api', ''],
      ['parley-worker', ''],
    ]);
  });

  it('has data for every expression of the dashboard', async () => {
    const empty: string[] = [];
    for (const { of, expression } of dashboardExpressions()) {
      const filled = expression
        .replaceAll('$__rate_interval', '5m')
        .replaceAll('$job', 'parley-.+')
        .replaceAll('[24h]', '[10m]');
      expect(filled).not.toContain('$');
      if ((await query(filled)).length === 0 && !EMPTY_WITHOUT_RESTART.includes(of))
        empty.push(`${of}: ${filled}`);
    }
    expect(empty).toEqual([]);
  });

  it('has data for what every alert compares with its threshold', async () => {
    const empty: string[] = [];
    for (const { of, expression } of alertRules()) {
      await query(expression);
      // ParleyDown asks for what is absent.
      const compared = expression.replace(/ or absent.*$/, '').replace(/ (>|==) [\d.]+( \* [\d.]+)*$/, '');
      expect(compared).not.toBe(expression);
      if ((await query(compared)).length === 0) empty.push(`${of}: ${compared}`);
    }
    expect(empty).toEqual([]);
  });

  it('evaluates the alerts, of which none fires in a healthy installation', async () => {
    const rules = listAt((await send(`${url}/api/v1/rules`)).body, 'data', 'groups').flatMap((group) =>
      listAt(group, 'rules'),
    );
    expect(rules.map((rule) => at(rule, 'name'))).toEqual(alertRules().map(({ of }) => of));
    for (const rule of rules)
      expect({ name: at(rule, 'name'), health: at(rule, 'health') }).toEqual({
        name: at(rule, 'name'),
        health: 'ok',
      });
    expect(rules.filter((rule) => at(rule, 'state') === 'firing')).toEqual([]);
  });
});
