// Real components: PostgreSQL with its processes and files. The tests start the processes that they kill.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { EmbeddedServerError, startEmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import type { EmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import { makeSignal, makeTemporaryDirectory, queryOnce } from '../../support/embedded-database.js';
import type { TemporaryDirectory } from '../../support/embedded-database.js';

const isRoot = process.getuid?.() === 0;
const temporary: TemporaryDirectory[] = [];
const servers: EmbeddedServer[] = [];
const children: ChildProcess[] = [];

function newDataDir(): string {
  const directory = makeTemporaryDirectory();
  temporary.push(directory);
  return join(directory.path, 'data');
}

/**
 * Holds a stopped database between tests. Creating one takes seconds, so only tests about the creation create
 * their own.
 */
const shared = makeTemporaryDirectory();
const sharedDataDir = join(shared.path, 'data');

async function start(
  dataDir: string,
  report: (line: string) => void = () => undefined,
): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ dataDir, report });
  servers.push(server);
  return server;
}

/** Starts the compiled module in its own process group and returns the lines that it prints. */
function startInChild(dataDir: string): {
  child: ChildProcess;
  line: (beginning: string) => Promise<string>;
} {
  const module = pathToFileURL(
    join(import.meta.dirname, '../../../dist/infra/database/embedded-server.js'),
  ).href;
  const code = `
    const { startEmbeddedServer } = await import(${JSON.stringify(module)});
    const server = await startEmbeddedServer({
      dataDir: ${JSON.stringify(dataDir)},
      report: (line) => console.log('report ' + line),
    });
    console.log('started ' + server.port);
    setInterval(() => undefined, 1_000_000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const line = (beginning: string): Promise<string> =>
    new Promise((resolve, reject) => {
      lines.on('line', (text) => {
        if (text.startsWith(beginning)) resolve(text.slice(beginning.length));
      });
      lines.once('close', () => {
        reject(new Error(`The process ended without '${beginning}'.`));
      });
    });
  return { child, line };
}

/** Kills the whole process group, like a closed terminal but with SIGKILL. */
async function killGroup(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await ended;
}

const postmasterId = async (server: EmbeddedServer): Promise<number> =>
  Number.parseInt(await readFile(join(server.directory, 'cluster', 'postmaster.pid'), 'utf8'), 10);

/** Kills a server that a test started, and waits until one of its clients has noticed. */
async function killServer(server: EmbeddedServer): Promise<void> {
  const client = new pg.Client({ connectionString: server.connectionString });
  // `once` of node:events would reject on the 'error' event that comes first.
  const ended = makeSignal<undefined>();
  client.on('error', () => undefined);
  client.on('end', () => {
    ended.give(undefined);
  });
  await client.connect();
  process.kill(await postmasterId(server), 'SIGKILL');
  await ended.promise;
}

describe('the embedded server', () => {
  afterEach(async () => {
    for (const child of children.splice(0))
      if (child.exitCode === null && child.signalCode === null) await killGroup(child);
    for (const server of servers.splice(0)) await server.stop();
    for (const directory of temporary.splice(0)) await directory.remove();
  });

  afterAll(() => shared.remove());

  it('creates a UTF-8 database at the first start, preserves it across a stop, and protects its password', async () => {
    const dataDir = sharedDataDir;
    const reported: string[] = [];
    const first = await start(dataDir, (line) => reported.push(line));
    expect(first).toMatchObject({ adopted: false, directory: join(dataDir, 'postgresql') });
    expect(first.version).toMatch(/^18\./);
    expect(reported).toEqual([`Creating the embedded database in ${first.directory}.`]);

    const settings = await queryOnce(
      first.connectionString,
      `select current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
              current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets,
              current_setting('TimeZone') as zone, upper('é') as upper_case, current_user as role`,
    );
    expect(settings).toEqual({
      encoding: 'UTF8',
      fsync: 'on',
      addresses: '127.0.0.1',
      sockets: '',
      zone: 'UTC',
      upper_case: 'É',
      role: 'parley',
    });
    expect((await stat(join(first.directory, 'password'))).mode & 0o777).toBe(0o600);
    const { password } = new URL(first.connectionString);
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(await readFile(join(first.directory, 'cluster', 'postmaster.opts'), 'utf8')).not.toContain(
      password,
    );
    await expect(queryOnce(first.connectionString.replace(password, 'wrong'), 'select 1')).rejects.toThrow(
      /password authentication failed/,
    );

    await queryOnce(first.connectionString, 'create table kept as select 42 as answer');
    await first.stop();
    await first.stop();
    await expect(queryOnce(first.connectionString, 'select 1')).rejects.toThrow(/ECONNREFUSED/);

    const second = await start(dataDir, (line) => reported.push(line));
    expect(second.adopted).toBe(false);
    expect(reported).toHaveLength(1);
    expect(await queryOnce(second.connectionString, 'select answer from kept')).toEqual({ answer: 42 });
  });

  it('survives the process group that started it and is adopted by the next process', async () => {
    const dataDir = sharedDataDir;
    const { child, line } = startInChild(dataDir);
    const port = Number(await line('started '));
    await killGroup(child);

    const server = await start(dataDir);
    expect(server).toMatchObject({ adopted: true, port });
    expect(await queryOnce(server.connectionString, 'select 1 as one')).toEqual({ one: 1 });
  });

  it('starts after it was killed, even if another process has the id in postmaster.pid', async () => {
    const dataDir = sharedDataDir;
    const first = await start(dataDir);
    await queryOnce(first.connectionString, 'create table survives as select 42 as answer');
    const pidFile = join(first.directory, 'cluster', 'postmaster.pid');
    await killServer(first);

    const afterKill = await start(dataDir);
    expect(afterKill.adopted).toBe(false);
    expect(await queryOnce(afterKill.connectionString, 'select answer from survives')).toEqual({
      answer: 42,
    });

    // A process of the database's own user, which PostgreSQL itself would mistake for its server.
    const text = await readFile(pidFile, 'utf8');
    await killServer(afterKill);
    const { uid, gid } = await stat(first.directory);
    const other = spawn('sleep', ['600'], { stdio: 'ignore', cwd: '/', ...(isRoot && { uid, gid }) });
    await once(other, 'spawn');
    await writeFile(pidFile, text.replace(/^\d+/, String(other.pid)));

    const afterReuse = await start(dataDir);
    expect(afterReuse.adopted).toBe(false);
    expect(await queryOnce(afterReuse.connectionString, 'select answer from survives')).toEqual({
      answer: 42,
    });
    expect(other.exitCode).toBeNull();
    other.kill();
    expect(
      (await readdir(join(first.directory, 'cluster'))).filter((name) => name.startsWith('postmaster.pid.')),
    ).toEqual([]);
  });

  it('is shared by processes that start at once on an empty directory', async () => {
    const dataDir = newDataDir();
    const child = startInChild(dataDir);
    const [childPort, ...here] = await Promise.all([child.line('started '), start(dataDir), start(dataDir)]);
    expect(new Set([Number(childPort), ...here.map(({ port }) => port)]).size).toBe(1);
    expect(here.filter(({ adopted }) => !adopted).length).toBeLessThanOrEqual(1);
    // The attempts that came second leave nothing.
    expect(await readdir(dataDir)).toEqual(['postgresql']);
  });

  it('starts after a kill during the creation of the database, and removes unfinished ones', async () => {
    const dataDir = newDataDir();
    const { child, line } = startInChild(dataDir);
    await line('report Creating');
    await killGroup(child);
    await mkdir(join(dataDir, 'postgresql.unfinished-abc', 'cluster'), { recursive: true });
    await writeFile(join(dataDir, 'postgresql.unfinished-abc', 'cluster', 'PG_VERSION'), '18\n');

    const server = await start(dataDir);
    expect(await queryOnce(server.connectionString, 'select 1 as one')).toEqual({ one: 1 });
    // The directory of the killed process may still be written to: its initdb has its own session.
    expect(await readdir(dataDir)).not.toContain('postgresql.unfinished-abc');
  });

  it('refuses a directory with other contents', async () => {
    const otherDataDir = newDataDir();
    await mkdir(join(otherDataDir, 'postgresql', 'photos'), { recursive: true });
    await expect(start(otherDataDir)).rejects.toThrow(/is not empty and contains no database/);
  });

  it('creates the database if a kill prevented that after the cluster was created', async () => {
    const dataDir = sharedDataDir;
    const server = await start(dataDir);
    await queryOnce(server.connectionString.replace(/parley$/, 'postgres'), 'drop database parley');
    const again = await start(dataDir);
    expect(again.adopted).toBe(true);
    expect(await queryOnce(again.connectionString, 'select current_database() as name')).toEqual({
      name: 'parley',
    });
  });

  it('refuses a database of another major version', async () => {
    const dataDir = sharedDataDir;
    const server = await start(dataDir);
    await server.stop();
    await writeFile(join(server.directory, 'cluster', 'PG_VERSION'), '17\n');
    const refusal = start(dataDir);
    await expect(refusal).rejects.toThrow(EmbeddedServerError);
    await expect(refusal).rejects.toThrow(/created by PostgreSQL 17; this is PostgreSQL 18.*DATABASE_URL/);
    await writeFile(join(server.directory, 'cluster', 'PG_VERSION'), '18\n');
  });

  it('names DATA_DIR if it cannot be used', async () => {
    const dataDir = newDataDir();
    await writeFile(dataDir, 'a file');
    const refusal = start(dataDir);
    await expect(refusal).rejects.toThrow(EmbeddedServerError);
    await expect(refusal).rejects.toThrow(/DATA_DIR \(.*\) cannot be used: EEXIST/);
  });

  (isRoot ? it : it.skip)(
    'creates the database in a directory accessible to its system user if started as root, reports it, and finds it again',
    async () => {
      const dataDir = newDataDir();
      await mkdir(dataDir, { mode: 0o700 });
      const reported: string[] = [];
      const server = await start(dataDir, (line) => reported.push(line));
      try {
        expect(server.directory).toMatch(/^\/var\/lib\/parley\/[0-9a-f]{16}\/postgresql$/);
        expect(reported[0]).toContain(dataDir);
        expect(reported[0]).toContain(server.directory.replace(/\/postgresql$/, ''));
        await server.stop();

        await chmod(dataDir, 0o711);
        const again = await start(dataDir);
        expect(again.directory).toBe(server.directory);
        await again.stop();
      } finally {
        await rm(join(server.directory, '..'), { recursive: true, force: true });
      }
    },
  );
});
