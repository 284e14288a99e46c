// Real components: the commands of fly.toml with its environment, on a database and a Redis of this test.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'smol-toml';
import { PACKAGE_ROOT } from '../../../src/config/index.js';
import { at, send } from '../../support/client.js';
import { COMPOSE_SECRETS } from '../../support/compose-file.js';
import { makeDataDir } from '../../support/data-dir.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { freePort } from '../../support/free-port.js';
import { HAS_REDIS_SERVER, RedisServer } from '../../support/redis-server.js';
import { createTestBucket } from '../../support/s3-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';
import { query, until } from '../../support/stored.js';

const file: unknown = parse(readFileSync(join(PACKAGE_ROOT, 'fly.toml'), 'utf8'));

/** Maximum duration of a start on a busy machine, in milliseconds. */
const START_MS = 180_000;

if (!HAS_REDIS_SERVER) process.stderr.write('SKIPPED: the commands of fly.toml: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('the commands of fly.toml', () => {
  let database: TestDatabase;
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let redis: RedisServer;
  let environment: Readonly<Record<string, string>>;
  const servers: ServerProcess[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    dataDir = await makeDataDir();
    redis = await RedisServer.reserve();
    await redis.start();
    environment = {
      ...(at(file, 'env') as Record<string, string>),
      // The secrets that the file lists.
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      JWT_SECRET: COMPOSE_SECRETS.JWT_SECRET,
      ENCRYPTION_KEY: COMPOSE_SECRETS.ENCRYPTION_KEY,
      ...(await createTestBucket()).settings,
      // What differs on this machine: its addresses, its folder, and that accounts are made without an administrator.
      HOST: '127.0.0.1',
      PORT: await freePort(),
      WORKER_PORT: await freePort(),
      DATA_DIR: dataDir.path,
      AUTH_REGISTRATION: 'open',
    };
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.end('SIGTERM')));
    await redis.stop();
    await database.drop();
    await dataDir.remove();
  });

  /** Starts the command at a path of the file; it must be one script of the build. */
  function start(settings: Readonly<Record<string, string>>, ...path: string[]): ServerProcess {
    const script = /^node dist\/(\w+\.js)$/.exec(String(at(file, ...path)))?.[1];
    if (script === undefined) throw new Error(`${path.join('.')} of fly.toml is no script of dist.`);
    const server = startServer(settings, script);
    servers.push(server);
    return server;
  }

  it(
    'migrate an empty database in the release command',
    async () => {
      const release = start(environment, 'deploy', 'release_command');
      expect({ code: await release.exited, output: release.output }).toMatchObject({ code: 0 });
      const tables = await query(database, `SELECT to_regclass('conversations') IS NOT NULL AS migrated`);
      expect(tables).toEqual([{ migrated: true }]);
    },
    START_MS,
  );

  it('fail in the release command if a secret is missing, so that nothing is replaced', async () => {
    const { ENCRYPTION_KEY: _omitted, ...incomplete } = environment;
    const release = start(incomplete, 'deploy', 'release_command');
    expect(await release.exited).toBe(1);
    expect(release.output).toContain('ENCRYPTION_KEY must be set in production');
  });

  it(
    'start an app and a worker that pass the checks',
    async () => {
      const [app, worker] = [
        start(environment, 'processes', 'app'),
        start(environment, 'processes', 'worker'),
      ];
      const url = await app.ready;
      await worker.printed(/running jobs/);
      const appCheck = String(at(file, 'http_service', 'checks', 0, 'path'));
      await until('a ready app', async () => (await send(`${url}${appCheck}`)).status === 200);
      const workerCheck = String(at(file, 'checks', 'worker', 'path'));
      const workerUrl = `http://127.0.0.1:${String(environment['WORKER_PORT'])}`;
      await until('a ready worker', async () => (await send(`${workerUrl}${workerCheck}`)).status === 200);
    },
    START_MS,
  );

  it('take the address of the client from before that of the proxy of Fly', async () => {
    const url = `http://127.0.0.1:${String(environment['PORT'])}`;
    const email = 'flyer@example.com';
    const { status } = await send(`${url}/api/v1/auth/register`, {
      method: 'POST',
      headers: { 'x-forwarded-for': '192.0.2.1, 203.0.113.7, 198.51.100.2' },
      body: { email, password: 'a long password' },
    });
    expect(status).toBe(201);
    // The first address is what a client may have sent itself.
    expect(
      await query(
        database,
        'SELECT address FROM audit_log WHERE user_id = (SELECT id FROM users WHERE email = $1)',
        [email],
      ),
    ).toEqual([{ address: '203.0.113.7' }]);
  });

  it('end with exit code 0, so within their own limit', async () => {
    const running = servers.filter(({ child }) => child.exitCode === null);
    expect(running).toHaveLength(2);
    expect(await Promise.all(running.map((server) => server.end('SIGTERM')))).toEqual([0, 0]);
  });
});
