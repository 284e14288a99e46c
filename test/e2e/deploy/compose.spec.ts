// Real components: the commands of docker-compose.yml and of its guide, without containers. Docker itself is a stub.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { PACKAGE_ROOT } from '../../../src/config/index.js';
import { listAt } from '../../support/client.js';
import {
  COMPOSE_SECRETS,
  composeCommand,
  composeEnvironment,
  composeService,
} from '../../support/compose-file.js';
import { makeDataDir } from '../../support/data-dir.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { freePort } from '../../support/free-port.js';
import { HAS_REDIS_SERVER } from '../../support/redis-server.js';
import { type ServerProcess, startServer } from '../../support/server-process.js';
import { until } from '../../support/stored.js';
import { StubbedProject } from '../../support/stub-program.js';

const run = promisify(execFile);

/** Maximum number of commands from nothing to a streamed answer. */
const MAX_COMMANDS = 6;

/** Maximum duration of a start on a busy machine, in milliseconds. */
const START_MS = 180_000;

if (!HAS_REDIS_SERVER)
  process.stderr.write('SKIPPED: the commands of docker-compose.yml: there is no redis-server\n');

/** Docker as the guide calls it: a container of the API is a process of the built version. */
const DOCKER = `
case "$*" in
  'compose up '* | 'volume ls '*) ;;
  'compose run --rm api '*) shift 4; cd "$PACKAGE_ROOT" && exec "$@" ;;
  *) echo "unknown: $*" >&2; exit 1 ;;
esac
`;

(HAS_REDIS_SERVER ? describe : describe.skip)('docker-compose.yml', () => {
  let folder: string;
  let database: TestDatabase;
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let redis: ChildProcess;
  let redisUrl: string;
  let environment: Record<string, string>;
  const servers: ServerProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-compose-'));
    database = await createTestDatabase();
    dataDir = await makeDataDir();
    const [redisPort, port, workerPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const [program = '', ...parameters] = composeCommand('redis');
    redis = spawn(program, [...parameters, '--port', redisPort, '--bind', '127.0.0.1', '--dir', folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (redis.stdout === null) throw new Error('Redis has no output.');
    for await (const line of createInterface({ input: redis.stdout }))
      if (line.includes('Ready to accept connections')) break;
    redis.stdout.resume();
    redisUrl = composeEnvironment('api')['REDIS_URL']?.replace('redis:6379', `127.0.0.1:${redisPort}`) ?? '';
    environment = {
      ...composeEnvironment('api'),
      HOST: '127.0.0.1',
      PORT: port,
      WORKER_PORT: workerPort,
      DATABASE_URL: database.url,
      REDIS_URL: redisUrl,
      DATA_DIR: dataDir.path,
      SHUTDOWN_DELAY_S: '0',
      DEMO_TOKENS_PER_SECOND: '1000',
    };
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.end('SIGTERM')));
    const closed = once(redis, 'close');
    redis.kill('SIGTERM');
    await closed;
    await database.drop();
    await dataDir.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts the command of a service. */
  function start(service: string): ServerProcess {
    const [node, script = ''] = composeCommand(service);
    expect({ node, script }).toEqual({ node: 'node', script: expect.stringMatching(/^dist\/\w+\.js$/) });
    const server = startServer(environment, script.replace('dist/', ''));
    servers.push(server);
    return server;
  }

  /** Runs the health check of a service and returns whether it passed. */
  async function isHealthy(service: string): Promise<boolean> {
    const [kind, program, ...parameters] = listAt(composeService(service), 'healthcheck', 'test').map(String);
    expect({ kind, program }).toEqual({ kind: 'CMD', program: 'node' });
    const options = { cwd: PACKAGE_ROOT, env: { ...process.env, ...environment } };
    return run(process.execPath, parameters, options).then(
      () => true,
      () => false,
    );
  }

  it('runs a Redis with a password that keeps a file and evicts nothing', async () => {
    const client = new Redis(redisUrl);
    const settings = await Promise.all(
      ['maxmemory-policy', 'appendonly', 'maxmemory'].map(async (name) => client.config('GET', name)),
    );
    expect(settings.flat()).toEqual([
      ...['maxmemory-policy', 'noeviction'],
      ...['appendonly', 'yes'],
      ...['maxmemory', String(256 * 2 ** 20)],
    ]);
    client.disconnect();
    const stranger = new Redis(redisUrl.replace(COMPOSE_SECRETS.REDIS_PASSWORD, 'wrong'), {
      lazyConnect: true,
      retryStrategy: () => null,
    });
    stranger.on('error', () => undefined);
    await expect(stranger.connect().then(() => stranger.ping())).rejects.toThrow();
    stranger.disconnect();
  });

  it(
    'migrates an empty database, and does nothing the second time',
    async () => {
      const first = start('migrate');
      expect({ code: await first.exited, output: first.output }).toMatchObject({ code: 0 });
      const second = start('migrate');
      expect({ code: await second.exited, output: second.output }).toMatchObject({ code: 0 });
    },
    START_MS,
  );

  it(
    'runs an API and a worker that their health checks find ready, and not before',
    async () => {
      expect([await isHealthy('api'), await isHealthy('worker')]).toEqual([false, false]);
      const [api, worker] = [start('api'), start('worker')];
      await api.ready;
      await worker.printed(/running jobs/);
      // On a busy machine a check may take longer than its own timeout; Compose repeats it too.
      for (const service of ['api', 'worker'])
        await until(`a healthy ${service}`, () => isHealthy(service), START_MS);
    },
    START_MS,
  );

  it(
    `leads from nothing to a streamed answer in at most ${MAX_COMMANDS} commands of the guide`,
    async () => {
      const guide = readFileSync(join(PACKAGE_ROOT, 'docs', 'deploy', 'compose.md'), 'utf8');
      const block = /^## From nothing to a first answer$.*?^```sh$\n(.*?)^```$/ms.exec(guide)?.[1] ?? '';
      const commands = block.trim().split(/(?<!\\)\n/);
      expect(commands.length).toBeLessThanOrEqual(MAX_COMMANDS);
      expect(commands.some((command) => command.startsWith('docker compose up '))).toBe(true);
      const adminAt = commands.findIndex((command) => command.includes('dist/admin.js'));

      const project = await StubbedProject.create('scripts/deploy-compose', 'deploy/compose/check-secrets');
      try {
        await project.stub('docker', DOCKER);
        const prepared = await project.shell(commands.slice(0, adminAt + 1), {
          ...environment,
          PACKAGE_ROOT,
        });
        expect(prepared).toMatchObject({ code: 0 });
        const password = /The password, shown only once: (\S+)/.exec(prepared.output)?.[1] ?? '';
        expect(password).not.toBe('');
        const address = `http://127.0.0.1:${String(environment['PORT'])}`;
        const rest = commands
          .slice(adminAt + 1)
          .map((command) =>
            command.replace('http://127.0.0.1:3000', address).replace('<password>', password),
          );
        const asked = await project.shell(rest);
        expect(asked).toMatchObject({ code: 0 });
        const events = asked.output.split('\n\n').map((event) => event.replace(/^(id: .*\n)?data: /, ''));
        expect(events.filter((event) => event.includes('"delta"')).length).toBeGreaterThan(1);
        expect(asked.output).toContain('[DONE]');
        expect(await project.takeCalls()).toContain('docker compose up --build --detach --wait');
      } finally {
        await project.remove();
      }
    },
    START_MS,
  );

  it('stops both processes with exit code 0, so within their own limit', async () => {
    const running = servers.filter(({ child }) => child.exitCode === null);
    expect(running).toHaveLength(2);
    expect(await Promise.all(running.map((server) => server.end('SIGTERM')))).toEqual([0, 0]);
  });
});
