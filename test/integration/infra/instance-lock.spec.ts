// Real components: PostgreSQL with its sessions and restarts.
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

/** Starts the server, or adopts the running one, at the same port as before. */
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

/** Ends the session that holds the lock, as an admin or a broken network would. */
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

  it('is held by one process per database at a time, and free after its release', async () => {
    const first = await makeDatabase(server.connectionString, 'free');
    const second = await makeDatabase(server.connectionString, 'other');
    const lock = await acquire(first);
    expect(await isTaken(first)).toBe(true);
    expect(await isTaken(second)).toBe(false);
    await lock.release();
    await lock.release();
    expect(await isTaken(first)).toBe(false);
  });

  it('reports that it is waiting, and fails with an error that suggests REDIS_URL', async () => {
    const database = await makeDatabase(server.connectionString, 'patience');
    const lock = await acquire(database);
    const reported: string[] = [];
    const refusal = acquire(database, { waitMs: 2_000, report: (line) => reported.push(line) });
    await expect(refusal).rejects.toThrow(InstanceLockError);
    await expect(refusal).rejects.toThrow(/Another Parley process.*only one process.*REDIS_URL/);
    expect(reported).toEqual([
      expect.stringMatching(/Another Parley process is using this database\. Waiting/),
    ]);
    await lock.release();
  });

  it('is handed over to a waiting process', async () => {
    const database = await makeDatabase(server.connectionString, 'handover');
    const first = await acquire(database);
    const waits = makeSignal<string>();
    const second = acquire(database, { report: waits.give });
    await waits.promise;
    await first.release();
    await (await second).release();
  });

  it('is handed over to a waiting process if the holder finally stops the server', async () => {
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

  it('is acquired again after a restart of the server', async () => {
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

  it('is acquired again if only its session ended', async () => {
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

  it('reports its loss once if another process acquired it first, and then stops nothing of that process', async () => {
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

  it('leaves no timer or socket after its release, even during a reconnect', async () => {
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

  it('rejects with other errors immediately', async () => {
    const missing = server.connectionString.replace(/parley$/, 'missing');
    await expect(acquire(missing)).rejects.toThrow(/database "missing" does not exist/);
  });
});
