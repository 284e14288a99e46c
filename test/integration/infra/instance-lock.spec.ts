// Real here: PostgreSQL, its sessions and its restarts.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startEmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import type { EmbeddedServer } from '../../../src/infra/database/embedded-server.js';
import { acquireInstanceLock, InstanceLockError } from '../../../src/infra/database/instance-lock.js';
import type { InstanceLock, InstanceLockOptions } from '../../../src/infra/database/instance-lock.js';
import {
  makeDatabase,
  makeSignal,
  makeTemporaryDirectory,
  queryOnce,
} from '../../support/embedded-database.js';

const directory = makeTemporaryDirectory();
let server: EmbeddedServer;
let port: number | undefined;

/** Starts the server, or finds it running, where it was before. */
async function ensureServer(): Promise<EmbeddedServer> {
  const preferred = port === undefined ? {} : { preferredPort: port };
  server = await startEmbeddedServer({ dataDir: directory.path, report: () => undefined, ...preferred });
  port = server.port;
  return server;
}

function acquire(
  connectionString: string,
  options: Partial<InstanceLockOptions> = {},
): Promise<InstanceLock> {
  return acquireInstanceLock({
    connect: async () => {
      await ensureServer();
      return connectionString;
    },
    waitMs: 20_000,
    report: () => undefined,
    onLost: (error) => {
      throw error;
    },
    ...options,
  });
}

const isTaken = async (connectionString: string): Promise<boolean> => {
  const attempt = await acquire(connectionString, { waitMs: 0 }).catch((error: unknown) => error);
  if (attempt instanceof InstanceLockError) return true;
  if (attempt instanceof Error) throw attempt;
  await (attempt as InstanceLock).release();
  return false;
};

/** Ends the session that holds a lock, as an administrator or a broken network would. */
const endLockSession = (connectionString: string): Promise<Record<string, unknown> | undefined> =>
  queryOnce(
    connectionString,
    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = " +
      '(select oid from pg_database where datname = current_database())',
  );

describe('the instance lock', () => {
  beforeAll(async () => {
    await ensureServer();
  });

  afterAll(async () => {
    await server.stop();
    await directory.remove();
  });

  it('is held by one process of a database at a time, and free after its release', async () => {
    const first = await makeDatabase(server.connectionString, 'free');
    const second = await makeDatabase(server.connectionString, 'other');
    const lock = await acquire(first);
    expect(await isTaken(first)).toBe(true);
    expect(await isTaken(second)).toBe(false);
    await lock.release();
    await lock.release();
    expect(await isTaken(first)).toBe(false);
  });

  it('says why it waits, and gives up with what to do', async () => {
    const database = await makeDatabase(server.connectionString, 'patience');
    const lock = await acquire(database);
    const reported: string[] = [];
    const refusal = acquire(database, { waitMs: 500, report: (line) => reported.push(line) });
    await expect(refusal).rejects.toThrow(InstanceLockError);
    await expect(refusal).rejects.toThrow(/Another Parley process.*only one process.*REDIS_URL/);
    expect(reported).toEqual([
      expect.stringMatching(/Another Parley process is using this database\. Waiting/),
    ]);
    await lock.release();
  });

  it('goes to a process that waits', async () => {
    const database = await makeDatabase(server.connectionString, 'handover');
    const first = await acquire(database);
    const waits = makeSignal<string>();
    const second = acquire(database, { report: waits.give });
    await waits.promise;
    await first.release();
    await (await second).release();
  });

  it('goes to a process that waits when the holder stops the server at last', async () => {
    const database = await makeDatabase(server.connectionString, 'shutdown');
    const first = await acquire(database);
    const waits = makeSignal<string>();
    const second = acquire(database, { report: waits.give });
    await waits.promise;
    const holderServer = server;
    await first.release(() => holderServer.stop());
    const lock = await second;
    expect(await isTaken(database)).toBe(true);
    await lock.release();
  });

  it('is taken again after a restart of the server', async () => {
    const database = await makeDatabase(server.connectionString, 'restart');
    const back = makeSignal<string>();
    const report = (line: string): void => {
      if (line.includes('acquired again')) back.give(line);
    };
    const lock = await acquire(database, { report });
    await server.stop();
    await back.promise;
    expect(await isTaken(database)).toBe(true);
    await lock.release();
    expect(await isTaken(database)).toBe(false);
  });

  it('is taken again when only its session ended', async () => {
    const database = await makeDatabase(server.connectionString, 'session');
    const back = makeSignal<string>();
    const report = (line: string): void => {
      if (line.includes('acquired again')) back.give(line);
    };
    const lock = await acquire(database, { report });
    await endLockSession(database);
    await back.promise;
    expect(await isTaken(database)).toBe(true);
    await lock.release();
  });

  it('is lost, once, when another process was faster, and then ends nothing of that process', async () => {
    const database = await makeDatabase(server.connectionString, 'lost');
    const lost = makeSignal<Error>();
    const otherHasIt = makeSignal<undefined>();
    let connections = 0;
    let losses = 0;
    const lock = await acquire(database, {
      connect: async () => {
        connections += 1;
        if (connections > 1) await otherHasIt.promise;
        return database;
      },
      onLost: (error) => {
        losses += 1;
        lost.give(error);
      },
    });
    const other = acquire(database);
    await endLockSession(database);
    const otherLock = await other;
    otherHasIt.give(undefined);
    await expect(lost.promise).resolves.toThrow(InstanceLockError);

    let stopped = false;
    await lock.release(async () => {
      stopped = true;
    });
    expect({ stopped, losses }).toEqual({ stopped: false, losses: 1 });
    expect(await isTaken(database)).toBe(true);
    await otherLock.release();
  });

  it('leaves no timer and no socket behind, not even when it is released while it reconnects', async () => {
    const database = await makeDatabase(server.connectionString, 'clean');
    const resources = (): string[] =>
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name.startsWith('TCP'));
    const before = resources();
    const reconnects = makeSignal<undefined>();
    let connections = 0;
    const lock = await acquire(database, {
      connect: async () => {
        connections += 1;
        if (connections === 1) return database;
        reconnects.give(undefined);
        throw new Error('not yet');
      },
    });
    await endLockSession(database);
    await reconnects.promise;
    await lock.release();
    expect(resources()).toEqual(before);
    expect(await isTaken(database)).toBe(false);
  });

  it('passes other errors on at once', async () => {
    const missing = server.connectionString.replace(/parley$/, 'missing');
    await expect(acquire(missing)).rejects.toThrow(/database "missing" does not exist/);
  });
});
