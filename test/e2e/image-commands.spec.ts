// Real components: the commands of the Dockerfile in a folder with production dependencies only, on a PostgreSQL.
// `npm run test:image` runs them in the image itself.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PACKAGE_ROOT, SETTINGS } from '../../src/config/index.js';
import { registerUser, send } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { readDockerfile } from '../support/dockerfile.js';
import { makeProductionFolder, type ProductionFolder } from '../support/production-folder.js';
import { freePort } from '../support/free-port.js';

const dockerfile = readDockerfile();
const migrate = ['node', 'dist/migrate.js'];
const secret = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';

describe('the commands of the Dockerfile', () => {
  let folder: ProductionFolder;
  let dataDir: string;
  let database: TestDatabase;
  const running = new Set<ChildProcess>();

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'parley-image-data-'));
    folder = makeProductionFolder(dockerfile.copies);
    database = await createTestDatabase();
  });

  afterEach(async () => {
    await Promise.all(
      [...running].map(async (child) => {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }),
    );
  });

  afterAll(async () => {
    await database.drop();
    await folder.remove();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** Starts a command with the environment of the image and of its operator. */
  function start(command: readonly string[], settings: Readonly<Record<string, string>> = {}) {
    const [program = '', ...words] = command;
    expect(program).toBe('node');
    const child = spawn(process.execPath, words, {
      cwd: folder.path,
      env: {
        PATH: process.env['PATH'],
        ...dockerfile.environment,
        DATA_DIR: dataDir,
        JWT_SECRET: secret,
        ENCRYPTION_KEY: secret,
        AUTH_REGISTRATION: 'open',
        DEMO_TOKENS_PER_SECOND: '1000',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => (output += piece));
    const result = once(child, 'close').then(([code]: unknown[]) => ({ code, output }));
    /** Resolves when the output has the text, or has ended. */
    const printed = async (text: string): Promise<void> => {
      while (!output.includes(text) && !child.stdout.readableEnded)
        await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'close')]);
    };
    return { child, result, printed };
  }

  const run = (...parameters: Parameters<typeof start>) => start(...parameters).result;

  it('compile with the script that npm start and npm test run before they begin', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8'));
    const build = 'node scripts/bootstrap.mjs build';
    expect(dockerfile.runs).toContain(build);
    expect(manifest).toMatchObject({ scripts: { prestart: build, pretest: build } });
  });

  it('read files that every user may read, whatever the umask of the checkout', () => {
    expect(dockerfile.takesModesOfCheckout).toEqual([]);
    const readable = dockerfile.runs.find((run) => run.startsWith('chmod -R a+rX '))?.split(' ') ?? [];
    // A folder covers what is in it.
    const missing = dockerfile.copies.filter((path) => !readable.includes(path.split('/')[0] ?? ''));
    expect({ copied: dockerfile.copies.length, missing }).toEqual({ copied: 5, missing: [] });
  });

  it('migrate an empty database, and change nothing the second time', async () => {
    const settings = { DATABASE_URL: database.url };
    const first = await run(migrate, settings);
    expect(first).toMatchObject({ code: 0 });
    expect(first.output).toMatch(
      /Applying \d+ migrations: .*_init.*\n.*The database has all migrations of Parley/s,
    );
    const second = await run(migrate, settings);
    expect(second).toMatchObject({ code: 0 });
    expect(second.output).not.toContain('Applying');
  });

  it('start an API that becomes healthy, serves, and exits with code 0 on SIGTERM', async () => {
    const port = await freePort();
    const settings = { DATABASE_URL: database.url, PORT: port };
    expect(await run(dockerfile.healthCheck, settings)).toMatchObject({ code: 1 });

    const server = start(dockerfile.command, settings);
    // Repeated like the check of an engine.
    while ((await run(dockerfile.healthCheck, settings)).code !== 0) expect(server.child.exitCode).toBeNull();
    const user = await registerUser(`http://127.0.0.1:${port}`);
    const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'Say: aardvark' });
    expect(status).toBe(200);
    expect(JSON.stringify(body)).toContain('aardvark');
    // Files of packages: the build copies the first, the server reads the second in node_modules.
    for (const path of ['/redoc/redoc.standalone.js', '/docs/swagger-ui-bundle.js'])
      expect({ path, status: (await send(`http://127.0.0.1:${port}${path}`)).status }).toEqual({
        path,
        status: 200,
      });

    const exited = once(server.child, 'exit');
    server.child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    // Nothing is compiled in advance for this folder, so a start takes longer than in other tests.
  });

  it.each([
    ['start', dockerfile.command],
    ['migrate', migrate],
  ])(
    '%s exits with a sentence if DATABASE_URL is not set, because the image has no database',
    async (_name, command) => {
      const { code, output } = await run(command);
      expect(code).toBe(1);
      expect(output).toMatch(/no embedded PostgreSQL.*Set DATABASE_URL to a PostgreSQL server/);
      expect(output).not.toContain('    at ');
    },
  );

  it.each([
    [
      'an unknown word',
      [...migrate, '--force'],
      { DATABASE_URL: 'postgresql://127.0.0.1/none' },
      'Usage: npm run migrate',
    ],
    ['a URL of another kind', migrate, { DATABASE_URL: 'mysql://127.0.0.1/none' }, 'DATABASE_URL must be'],
  ])('migrate exits with code 1 and a sentence for %s', async (_what, command, settings, sentence) => {
    const { code, output } = await run(command, settings);
    expect(code).toBe(1);
    expect(output).toContain(sentence);
    expect(output).not.toContain('    at ');
  });
});

describe('the health check of the image', () => {
  const script = join(PACKAGE_ROOT, 'scripts', 'healthcheck.mjs');

  async function check(environment: Readonly<Record<string, string>>, ...words: string[]) {
    const child = spawn(process.execPath, [script, ...words], { env: { HOST: '0.0.0.0', ...environment } });
    const [[code], output] = await Promise.all([
      once(child, 'close') as Promise<unknown[]>,
      text(child.stdout),
    ]);
    return { code, output };
  }

  /** Calls a function with the port of a server that answers /health/ready with a status. */
  async function withServer<Result>(status: number, use: (port: string) => Promise<Result>): Promise<Result> {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/health/ready' ? status : 404).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      return await use(String((server.address() as AddressInfo).port));
    } finally {
      server.close();
    }
  }

  it('asks the worker if no API listens', async () => {
    const unused = await freePort();
    await withServer(200, async (port) => {
      expect(await check({ PORT: unused, WORKER_PORT: port })).toMatchObject({ code: 0 });
      expect(await check({ PORT: unused, WORKER_PORT: port }, 'worker')).toMatchObject({ code: 0 });
      expect(await check({ PORT: unused, WORKER_PORT: port }, 'api')).toMatchObject({ code: 1 });
    });
  });

  it('fails with the status if the API is not ready, whatever the worker responds', async () => {
    await withServer(503, (port) =>
      withServer(200, async (worker) => {
        const { code, output } = await check({ PORT: port, WORKER_PORT: worker });
        expect(code).toBe(1);
        expect(output).toBe('Not ready: the api responded with 503\n');
      }),
    );
  });

  it('fails with the reasons if nothing listens', async () => {
    const [port, workerPort] = [await freePort(), await freePort()];
    const { code, output } = await check({ PORT: port, WORKER_PORT: workerPort });
    expect(code).toBe(1);
    expect(output).toMatch(
      new RegExp(
        `^Not ready: the api at port ${port}: .*ECONNREFUSED.*; the worker at port ${workerPort}: .*ECONNREFUSED`,
      ),
    );
  });

  it('fails with a reason if a port is not fixed', async () => {
    const result = await check({ PORT: '0' }, 'api');
    expect(result).toEqual({ code: 1, output: 'Not ready: the port of the api is "0"\n' });
  });

  it('rejects an unknown process', async () => {
    const result = await check({}, 'database');
    expect(result).toEqual({
      code: 1,
      output: 'Not ready: Usage: node scripts/healthcheck.mjs [api|worker]\n',
    });
  });

  it('has the defaults of the settings', () => {
    const [, source = ''] = /const {(.*)} = process\.env/.exec(readFileSync(script, 'utf8')) ?? [];
    const defaults = Array.from(source.matchAll(/(\w+) = '(.*?)'/g), ([, name = '', value]) => ({
      name,
      value,
    }));
    expect(defaults.map(({ name }) => name)).toEqual(['HOST', 'PORT', 'WORKER_PORT']);
    for (const { name, value } of defaults) {
      const setting = Object.entries(SETTINGS).find(([known]) => known === name)?.[1];
      if (setting !== undefined) expect({ name, value }).toEqual({ name, value: setting.defaultLabel });
    }
  });
});
