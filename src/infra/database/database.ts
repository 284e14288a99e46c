import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { startEmbeddedServer } from './embedded-server.js';
import type { EmbeddedServer } from './embedded-server.js';
import { acquireInstanceLock } from './instance-lock.js';
import type { InstanceLock } from './instance-lock.js';
import { applyMigrations } from './migrations.js';
import {
  closeClient,
  isServerUnavailable,
  maskPassword,
  openClient,
  failureReason,
} from './postgres-client.js';

/**
 * Thrown if the external database cannot be used. The message is a sentence for the operator, without the password.
 */
export class DatabaseOpenError extends Error {
  override readonly name = 'DatabaseOpenError';
}

/** An open, migrated database that this process may use. */
export interface OpenDatabase {
  /** URL of the database, password included. */
  connectionString: string;
  kind: 'embedded' | 'external';
  /** Description for the startup banner, without the password. */
  description: string;
  /** Releases the instance lock and stops the embedded server. Call it last. Idempotent. */
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  /** `DATABASE_URL`; if undefined, the embedded server is used. */
  databaseUrl: string | undefined;
  /** `DATA_DIR`, for the embedded server. */
  dataDir: string;
  /** True without Redis: only one process may then use the database. The embedded database is always exclusive. */
  exclusive: boolean;
  /** `prisma/migrations`. */
  migrationsDirectory: string;
  report: (line: string) => void;
  /** Called if this process must stop because another one has taken over the database. */
  onLost: (error: Error) => void;
  /** Maximum wait for another process to release the database, in milliseconds. */
  lockWaitMs?: number;
  /** Maximum wait for an external server to respond, in milliseconds. */
  connectWaitMs?: number;
}

const DEFAULT_LOCK_WAIT_MS = 60_000;
const DEFAULT_CONNECT_WAIT_MS = 30_000;
const RETRY_MS = 500;
const OLDEST_VERSION = 15;

async function openEmbedded(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const { dataDir, migrationsDirectory, onLost } = options;
  const reported = new Set<string>();
  // `connect` runs again whenever a connection breaks, but its messages stay the same.
  const reportOnce = (line: string): void => {
    if (!reported.has(line)) options.report(line);
    reported.add(line);
  };

  const current: { server?: EmbeddedServer; connectionString?: string } = {};
  const connect = async (): Promise<string> => {
    const preferred = current.server ? { preferredPort: current.server.port } : {};
    const server = await startEmbeddedServer({ dataDir, report: reportOnce, ...preferred });
    current.server = server;
    if (current.connectionString !== undefined && server.connectionString !== current.connectionString) {
      onLost(
        new DatabaseOpenError(
          `The embedded database was restarted on a different port (${server.port}). Restart Parley.`,
        ),
      );
    }
    return server.connectionString;
  };

  const lock = await acquireInstanceLock({
    connect,
    waitMs: options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS,
    report: options.report,
    onLost,
  });
  // Stopped while the lock is held, so that a process waiting for the lock does not find a server that is about to
  // stop.
  const close = (): Promise<void> => lock.release(() => current.server?.stop() ?? Promise.resolve());
  try {
    const server = current.server ?? (await startEmbeddedServer({ dataDir, report: reportOnce }));
    const { connectionString } = server;
    current.connectionString = connectionString;
    await applyMigrations({ connectionString, directory: migrationsDirectory, report: options.report });
    return {
      connectionString,
      kind: 'embedded',
      description: `embedded PostgreSQL ${server.version} in ${server.directory}`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Connects, and waits for a server that is not up yet, since both may be starting. */
async function reach(
  databaseUrl: string,
  waitMs: number,
  report: (line: string) => void,
): Promise<pg.Client> {
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new DatabaseOpenError(
      'DATABASE_URL is not a valid PostgreSQL URL (postgresql://user:password@host:5432/name).',
    );
  }
  const deadline = performance.now() + waitMs;
  const where = `the database of DATABASE_URL (${maskPassword(databaseUrl)})`;
  let reported = false;
  for (;;) {
    try {
      return await openClient(databaseUrl, 'parley start');
    } catch (error) {
      const isAway = isServerUnavailable(error);
      if (!isAway || performance.now() + RETRY_MS > deadline) {
        const patience = isAway ? ` within ${Math.round(waitMs / 1000)} s` : '';
        throw new DatabaseOpenError(
          `Parley cannot connect to ${where}${patience}: ${failureReason(error)}. ` +
            'Fix DATABASE_URL, or unset it to use the embedded database.',
          { cause: error },
        );
      }
      if (!reported) report(`Waiting for ${where}: ${failureReason(error)}.`);
      reported = true;
    }
    await delay(RETRY_MS);
  }
}

/** Rejects a server that is too old. Returns its description for the startup banner. */
async function inspect(
  client: pg.Client,
  databaseUrl: string,
  report: (line: string) => void,
): Promise<string> {
  const { rows } = await client.query<{ number: string; version: string; encoding: string; name: string }>(
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS version,
            current_setting('server_encoding') AS encoding, current_database() AS name`,
  );
  const [row] = rows;
  const [version] = row?.version.split(' ') ?? [];
  if (!row || Number(row.number) < OLDEST_VERSION * 10_000) {
    throw new DatabaseOpenError(
      `The database of DATABASE_URL (${maskPassword(databaseUrl)}) is PostgreSQL ${version}. ` +
        `Parley needs PostgreSQL ${OLDEST_VERSION} or newer.`,
    );
  }
  if (row.encoding !== 'UTF8') {
    report(
      `The database ${row.name} has the encoding ${row.encoding}. Search only works correctly with UTF8.`,
    );
  }
  return `PostgreSQL ${version} at ${client.host}:${client.port}/${row.name}`;
}

async function openExternal(options: OpenDatabaseOptions & { databaseUrl: string }): Promise<OpenDatabase> {
  const { databaseUrl, exclusive, migrationsDirectory, report, onLost } = options;
  const client = await reach(databaseUrl, options.connectWaitMs ?? DEFAULT_CONNECT_WAIT_MS, report);
  let description: string;
  try {
    description = await inspect(client, databaseUrl, report);
  } finally {
    await closeClient(client);
  }

  let lock: InstanceLock | undefined;
  if (exclusive) {
    const waitMs = options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS;
    lock = await acquireInstanceLock({ connect: () => Promise.resolve(databaseUrl), waitMs, report, onLost });
  }
  const close = (): Promise<void> => lock?.release() ?? Promise.resolve();
  try {
    await applyMigrations({ connectionString: databaseUrl, directory: migrationsDirectory, report });
  } catch (error) {
    await close();
    throw error;
  }
  return { connectionString: databaseUrl, kind: 'external', description, close };
}

/**
 * Opens the database of this process: starts or adopts the embedded server, or connects to `DATABASE_URL`; acquires
 * the instance lock if only one process may use it; applies migrations. If a step fails, this call undoes what it
 * started, but never stops a server that another process may be using.
 *
 * @throws DatabaseOpenError, EmbeddedServerError, InstanceLockError or MigrationError: each message is a sentence
 *   for the operator
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const { databaseUrl } = options;
  return databaseUrl === undefined ? openEmbedded(options) : openExternal({ ...options, databaseUrl });
}
