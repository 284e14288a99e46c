// Real components: the built server as several processes over PostgreSQL and a separate Redis server.
import { once } from 'node:events';
import { cpSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, describe } from '@jest/globals';
import pg from 'pg';
import { MIGRATIONS_DIRECTORY } from '../../src/config/index.js';
import { listMigrations } from '../../src/infra/database/migration-history.js';
import { applyMigrations } from '../../src/infra/database/migrations.js';
import { ADVISORY_LOCKS } from '../../src/infra/database/postgres-client.js';
import { collect, registerUser, send, textOf } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, createTestDatabase, type TestDatabase } from '../support/database.js';
import { memoryOf } from '../support/documents.js';
import { makeTemporaryDirectory } from '../support/embedded-database.js';
import { type FakeProvider, startFakeProvider } from '../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../support/fake-provider/gated-answer.js';
import { scrape } from '../support/metrics.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

/** Number of processes that start at the same moment. */
const TOGETHER = 3;

/** Number of times that they do so, on an empty and on an old database each. */
const ROUNDS = Number(process.env['START_ROUNDS'] ?? '1');

/** Maximum duration of a round on a busy machine, in milliseconds. */
const ROUND_MS = 150_000;

const REQUESTS = 'http_server_request_duration_seconds_count';
const LIVE = { http_route: '/health/live' };

/** Sends a request on a connection of its own, so that the processes take turns. */
async function fetchOnce(url: string): Promise<number> {
  const { status } = await fetch(url, { headers: { connection: 'close' } });
  return status;
}

/** A secret that all processes share; those of development are generated in the data directory. */
const SECRET = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

if (!HAS_REDIS_SERVER) process.stderr.write('SKIPPED: several processes: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('several API processes', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let provider: FakeProvider;
  let redis: RedisServer;
  /** A server that several tests use in turn: a start takes seconds. */
  let shared: ServerProcess | undefined;
  const servers: ServerProcess[] = [];
  const databases: TestDatabase[] = [];

  beforeAll(async () => {
    dataDir = await makeDataDir();
    provider = await startFakeProvider();
    redis = await RedisServer.reserve();
    await redis.start();
  });

  afterEach(async () => {
    provider.reset();
    await Promise.all(servers.splice(0).map((server) => server.end('SIGTERM')));
  });

  afterAll(async () => {
    await shared?.end('SIGTERM');
    for (const database of databases) await database.drop();
    await redis.stop();
    await provider.close();
    await dataDir.remove();
  });

  function start(database: TestDatabase, more: Readonly<Record<string, string>> = {}): ServerProcess {
    const server = startServer({
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      JWT_SECRET: SECRET,
      ENCRYPTION_KEY: SECRET,
      OPENAI_BASE_URL: provider.baseUrl,
      DEFAULT_MODEL: 'openai/test-model',
      ...more,
    });
    servers.push(server);
    return server;
  }

  async function keep(creating: Promise<TestDatabase>): Promise<TestDatabase> {
    const database = await creating;
    databases.push(database);
    return database;
  }

  describe('of WEB_CONCURRENCY', () => {
    /** Returns the process ids of the children of a server, which serve its requests. */
    const childrenOf = ({ child }: ServerProcess): number[] =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').map(Number);

    /** Returns the server that an earlier test left running, or starts one. */
    async function running(): Promise<{ readonly server: ServerProcess; readonly url: string }> {
      if (shared === undefined) {
        shared = start(await keep(createMigratedDatabase()), { WEB_CONCURRENCY: '2' });
        servers.splice(servers.indexOf(shared), 1);
      }
      return { server: shared, url: await shared.ready };
    }

    it('share a port, and export the metrics of all of them together, whichever is scraped', async () => {
      const { server, url } = await running();
      expect(server.output).toContain('Processes  2');
      expect(server.output.match(/is ready/g)).toHaveLength(1);
      await until('both processes to listen', async () => (await scrape(url)).sum('parley_build_info') === 2);
      const counted = (await scrape(url)).sum(REQUESTS, LIVE);
      const requests = Array.from({ length: 20 }, () => fetchOnce(`${url}/health/live`));
      expect(await Promise.all(requests)).toEqual(requests.map(() => 200));
      for (let scrapes = 0; scrapes < 4; scrapes += 1) {
        const metrics = await scrape(url);
        expect(metrics.sum(REQUESTS, LIVE)).toBe(counted + 20);
        expect(
          metrics
            .find('parley_build_info')
            .map(({ labels }) => labels['process'])
            .sort(),
        ).toEqual(['1', '2']);
        expect(metrics.find('process_start_time_seconds')).toHaveLength(2);
        expect(metrics.sum('db_client_connection_max')).toBe(20);
      }
    });

    it('load the application, which the process that starts them does not', async () => {
      const { server } = await running();
      const [first = 0] = childrenOf(server);
      expect(memoryOf(server.child.pid ?? 0, 'VmHWM')).toBeLessThan(memoryOf(first, 'VmHWM') / 2);
    });

    it('replace one that is killed, and are scraped also while it hangs', async () => {
      const { server, url } = await running();
      const [first, hanging = 0] = childrenOf(server);
      process.kill(hanging, 'SIGSTOP');
      try {
        // A connection goes to each process in turn, so one of two reaches the process that runs.
        const scrapes = [scrape(url), scrape(url)];
        expect((await Promise.race(scrapes)).sum('db_client_connection_max')).toBe(10);
        process.kill(hanging, 'SIGCONT');
        await Promise.all(scrapes);
        // A process that ends takes its own series with it, so that no counter of another one goes back.
        const startTimes = async (): Promise<number[]> =>
          (await scrape(url)).find('process_start_time_seconds').map(({ value }) => value);
        const before = await startTimes();
        process.kill(hanging, 'SIGKILL');
        await server.printed(/ended unexpectedly \(SIGKILL\)/);
        expect(await fetchOnce(`${url}/health/live`)).toBe(200);
        await until('another process with the same number', async () => {
          // A connection that was passed to the killed process is reset.
          const now = await startTimes().catch(() => []);
          return now.length === 2 && now.filter((time) => !before.includes(time)).length === 1;
        });
        const numbers = (await scrape(url)).find('parley_build_info').map(({ labels }) => labels['process']);
        expect(numbers.sort()).toEqual(['1', '2']);
        const children = childrenOf(server);
        expect(children).toHaveLength(2);
        expect(children).toContain(first);
      } finally {
        if (childrenOf(server).includes(hanging)) process.kill(hanging, 'SIGCONT');
      }
    });

    it('finish a running answer at SIGTERM and exit with code 0', async () => {
      const { server, url } = await running();
      const user = await registerUser(url);
      const answer = gatedAnswer(['one ', 'two']);
      provider.script(answer);
      const asked = provider.nextRequest();
      const events = collect(user.stream('/api/v1/chat/stream', { message: 'Count' }));
      await asked;
      server.child.kill('SIGTERM');
      await server.printed(/Stopping \(SIGTERM\)/);
      answer.finish();
      expect(textOf(await events)).toBe('one two');
      expect(await server.exited).toBe(0);
      expect(server.output.match(/Stopping/g)).toHaveLength(1);
    });

    it('all end with a one-line error if the port is taken', async () => {
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      try {
        const address = taken.address();
        const port = typeof address === 'object' && address !== null ? String(address.port) : '';
        const server = start(await keep(createMigratedDatabase()), { WEB_CONCURRENCY: '2', PORT: port });
        expect(await server.exited).toBe(1);
        expect(server.output).toContain(`PORT ${port} on 127.0.0.1 is already in use`);
      } finally {
        taken.close();
      }
    });

    it('store a running answer as interrupted at the second signal', async () => {
      const database = await keep(createMigratedDatabase());
      const server = start(database, { WEB_CONCURRENCY: '2' });
      const user = await registerUser(await server.ready);
      provider.script(gatedAnswer(['one ', 'two']));
      const asked = provider.nextRequest();
      const events = collect(user.stream('/api/v1/chat/stream', { message: 'Count' }));
      await asked;
      server.child.kill('SIGINT');
      await server.printed(/Stopping/);
      server.child.kill('SIGINT');
      expect(await server.exited).toBe(0);
      await events.catch(() => undefined);
      const rows = await query(database, "SELECT status FROM messages WHERE role = 'assistant'");
      expect(rows).toEqual([{ status: 'interrupted' }]);
    });
  });

  describe('that start at the same moment', () => {
    async function startTogether(database: TestDatabase): Promise<void> {
      const lock = [ADVISORY_LOCKS.class, ADVISORY_LOCKS.migrations];
      const holder = new pg.Client({ connectionString: database.url });
      await holder.connect();
      await holder.query('SELECT pg_advisory_lock($1, $2)', lock);
      const together = Array.from({ length: TOGETHER }, () => start(database));
      try {
        // Otherwise the first could be ready before the last one begins.
        await until('all of them to wait for the migrations', async () => {
          const sql = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
          return (await holder.query(sql, lock)).rowCount === TOGETHER;
        });
      } finally {
        await holder.end();
      }
      const urls = await Promise.all(together.map(({ ready }) => ready));
      const probes = await Promise.all(urls.map((url) => send(`${url}/health/ready`)));
      expect(probes.map(({ status }) => status)).toEqual(together.map(() => 200));
      const applied = await query(
        database,
        'SELECT migration_name AS name, count(*)::int AS times FROM _prisma_migrations GROUP BY 1 ORDER BY 1',
      );
      expect(applied).toEqual(
        (await listMigrations(MIGRATIONS_DIRECTORY)).map((name) => ({ name, times: 1 })),
      );
      expect(await Promise.all(servers.splice(0).map((server) => server.end('SIGTERM')))).toEqual(
        together.map(() => 0),
      );
    }

    it(
      'are all ready and apply each migration once, on an empty database',
      async () => {
        for (let round = 0; round < ROUNDS; round += 1) await startTogether(await keep(createTestDatabase()));
      },
      ROUNDS * ROUND_MS,
    );

    it(
      'are all ready and apply each missing migration once, on a database of an older version',
      async () => {
        const older = makeTemporaryDirectory();
        const names = await listMigrations(MIGRATIONS_DIRECTORY);
        for (const name of names.slice(0, names.length / 2))
          cpSync(join(MIGRATIONS_DIRECTORY, name), join(older.path, name), { recursive: true });
        for (let round = 0; round < ROUNDS; round += 1) {
          const database = await keep(createTestDatabase());
          await applyMigrations({
            connectionString: database.url,
            directory: older.path,
            report: () => undefined,
          });
          await startTogether(database);
        }
        await older.remove();
      },
      ROUNDS * ROUND_MS,
    );
  });
});
