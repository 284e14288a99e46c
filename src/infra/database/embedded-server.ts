import { readFile, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { probeServer, connectionStringFor } from './embedded/probe-server.js';
import { findBinaries, runnableBinaries } from './embedded/binaries.js';
import type { Binaries } from './embedded/binaries.js';
import { ensureCluster } from './embedded/cluster.js';
import type { Cluster } from './embedded/cluster.js';
import { EmbeddedServerError } from './embedded/embedded-server-error.js';
import { locateDatabase, STATE_DIRECTORY } from './embedded/location.js';
import { findPostmaster } from './embedded/postmaster.js';
import { runProgram } from './embedded/run-program.js';
import type { SystemAccount } from './embedded/run-program.js';
import { failureReason } from './postgres-client.js';

export { EmbeddedServerError } from './embedded/embedded-server-error.js';

/** A running embedded PostgreSQL server. */
export interface EmbeddedServer {
  /** URL of the database, password included. */
  connectionString: string;
  /** The folder that holds the database, its password and its log. */
  directory: string;
  /** PostgreSQL's version, for example `18.4`. */
  version: string;
  /** True if the server was already running, left by a killed process or used by a live one. */
  adopted: boolean;
  /** The port on 127.0.0.1. */
  port: number;
  /**
   * Stops the server, even if another process started it; its clients are disconnected. Idempotent.
   *
   * @throws EmbeddedServerError if it does not stop
   */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 120_000;
/** Including the pauses between them, the attempts span six seconds, in which the sessions of a killed server end. */
const START_ATTEMPTS = 7;
const POLL_MS = 25;
/**
 * Shutdown modes of PostgreSQL. `fast` disconnects the clients. `immediate` has the effect of a power failure: safe,
 * but the next start replays the write-ahead log.
 */
const STOP_MODES = [
  { mode: 'fast', waitMs: 15_000 },
  { mode: 'immediate', waitMs: 5_000 },
] as const;
/** Size above which a start renames the log of earlier runs; only one such file is kept. */
const LOG_LIMIT_BYTES = 1_048_576;

/** Passed on the command line instead of postgresql.conf, so that a new version of Parley can change them. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=64MB',
  'max_wal_size=256MB',
  // There is no replication. Durability (fsync, synchronous_commit, full_page_writes) stays at its safe defaults.
  'wal_level=minimal',
  'max_wal_senders=0',
  'timezone=UTC',
  'log_timezone=UTC',
  // Errors are logged without the statement and the row, which contain user data.
  'log_error_verbosity=terse',
  'log_min_error_statement=panic',
  'log_checkpoints=off',
];

/** A cluster and what is needed to run it. */
interface Installation {
  directory: string;
  account: SystemAccount | undefined;
  binaries: Binaries;
  cluster: Cluster;
}

/** Returns a port of 127.0.0.1 that was free a moment ago, preferably the wanted one. */
function pickPort(wanted = 0): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (wanted === 0) reject(error);
      else resolvePort(pickPort());
    });
    server.listen({ host: '127.0.0.1', port: wanted, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolvePort(address.port);
        else reject(new Error('No port was given.'));
      });
    });
  });
}

async function setLogAside(logFile: string): Promise<void> {
  const size = (await stat(logFile).catch(() => undefined))?.size ?? 0;
  if (size > LOG_LIMIT_BYTES) await rename(logFile, `${logFile}.old`).catch(() => undefined);
}

async function endOfLog(logFile: string): Promise<string> {
  const log = await readFile(logFile, 'utf8').catch(() => '');
  return log.trimEnd().split('\n').slice(-5).join('\n');
}

/**
 * Waits until the server with that process id has stopped. A server that another process started meanwhile does not
 * count.
 */
async function hasStopped(dataDirectory: string, processId: number, waitMs: number): Promise<boolean> {
  const deadline = performance.now() + waitMs;
  do {
    const found = await findPostmaster(dataDirectory);
    if (found.state === 'absent' || found.processId !== processId) return true;
    await delay(POLL_MS);
  } while (performance.now() < deadline);
  return false;
}

async function stopServer({ account, binaries, cluster, directory }: Installation): Promise<void> {
  const { dataDirectory } = cluster;
  const found = await findPostmaster(dataDirectory);
  if (found.state === 'absent') return;
  let problem = '';
  for (const { mode, waitMs } of STOP_MODES) {
    const { status, output } = await runProgram(
      binaries.pgCtl,
      // pg_ctl would wait for any server of this directory, even one that a waiting process has just started.
      ['stop', '--silent', '--no-wait', `--mode=${mode}`, `--pgdata=${dataDirectory}`],
      account,
    );
    if (status !== 0) problem = output;
    if (await hasStopped(dataDirectory, found.processId, waitMs)) return;
  }
  throw new EmbeddedServerError(`The embedded database in ${directory} did not stop. ${problem}`.trimEnd());
}

function asServer(
  installation: Installation,
  found: { port: number; version: string; adopted: boolean },
): EmbeddedServer {
  let stopping: Promise<void> | undefined;
  return {
    ...found,
    connectionString: connectionStringFor(installation.cluster, found.port),
    directory: installation.directory,
    stop: () => (stopping ??= stopServer(installation)),
  };
}

async function startOrAdopt(installation: Installation, preferredPort?: number): Promise<EmbeddedServer> {
  const { account, binaries, cluster, directory } = installation;
  const deadline = performance.now() + START_TIMEOUT_MS;
  let attempts = 0;
  let problem = '';
  while (performance.now() < deadline && attempts < START_ATTEMPTS) {
    const found = await findPostmaster(cluster.dataDirectory);
    if (found.state !== 'absent') {
      const version = found.port === undefined ? undefined : await probeServer(cluster, found.port);
      if (version !== undefined && found.port !== undefined) {
        return asServer(installation, { port: found.port, version, adopted: true });
      }
      if (found.state === 'running') {
        // Another process is starting, recovering or stopping the server.
        await delay(POLL_MS);
        continue;
      }
    }

    attempts += 1;
    const port = await pickPort(attempts === 1 ? preferredPort : undefined);
    await setLogAside(cluster.logFile);
    const { status, output } = await runProgram(
      binaries.pgCtl,
      [
        'start',
        '--silent',
        '--wait',
        `--timeout=${START_TIMEOUT_MS / 1000}`,
        `--pgdata=${cluster.dataDirectory}`,
        `--log=${cluster.logFile}`,
        `--options=${[`port=${port}`, ...SETTINGS].map((setting) => `-c ${setting}`).join(' ')}`,
      ],
      account,
    );
    // Otherwise another process was faster or took the port; the next round finds out which.
    if (status === 0) {
      const version = await probeServer(cluster, port);
      if (version !== undefined) return asServer(installation, { port, version, adopted: false });
    }
    problem = output;
    await delay(50 * 2 ** attempts);
  }
  throw new EmbeddedServerError(
    `The embedded database in ${directory} could not be started. ${problem}\n${await endOfLog(cluster.logFile)}`,
  );
}

/**
 * Ensures that the embedded PostgreSQL of a `DATA_DIR` runs: creates it on the first start, adopts it if it is
 * running, and starts it otherwise. Several processes may call this at once and get the same server. Never stops a
 * server: the instance lock decides which process may use it.
 *
 * @param options.dataDir the `DATA_DIR`; as root the database may live elsewhere, which is then reported by `report`
 * @param options.preferredPort port to start on if it is free, so that clients of an earlier start can reconnect
 * @throws EmbeddedServerError with a sentence for the operator
 */
export async function startEmbeddedServer(options: {
  dataDir: string;
  report: (line: string) => void;
  preferredPort?: number;
}): Promise<EmbeddedServer> {
  const { dataDir, report, preferredPort } = options;
  try {
    const found = await findBinaries();
    const { directory, account } = await locateDatabase(resolve(dataDir), report);
    const binaries = await runnableBinaries({
      binaries: found,
      account,
      stateDirectory: STATE_DIRECTORY,
      report,
    });
    const cluster = await ensureCluster({ directory, account, binaries, report });
    return await startOrAdopt({ directory, account, binaries, cluster }, preferredPort);
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error;
    throw new EmbeddedServerError(
      `The embedded database of DATA_DIR (${resolve(dataDir)}) cannot be used: ${failureReason(error)}. ` +
        'Set DATA_DIR to a writable folder, or DATABASE_URL to a PostgreSQL server.',
      { cause: error },
    );
  }
}
