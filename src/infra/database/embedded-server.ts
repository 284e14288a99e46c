import { readFile, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { askServer, connectionStringFor } from './embedded/ask-server.js';
import { findBinaries, runnableBinaries } from './embedded/binaries.js';
import type { Binaries } from './embedded/binaries.js';
import { ensureCluster } from './embedded/cluster.js';
import type { Cluster } from './embedded/cluster.js';
import { EmbeddedServerError } from './embedded/embedded-server-error.js';
import { locateDatabase, stateDirectory } from './embedded/location.js';
import { findPostmaster } from './embedded/postmaster.js';
import { runProgram } from './embedded/run-program.js';
import type { SystemAccount } from './embedded/run-program.js';
import { reasonOf } from './postgres-client.js';

export { EmbeddedServerError } from './embedded/embedded-server-error.js';

/** A running PostgreSQL of our own. */
export interface EmbeddedServer {
  /** Where to connect, password included. */
  connectionString: string;
  /** The folder that holds the database, its password and its log. */
  directory: string;
  /** PostgreSQL's version, for instance `18.4`. */
  version: string;
  /** True where the server was running already, left by a killed process or used by a living one. */
  adopted: boolean;
  /** The port on 127.0.0.1. */
  port: number;
  /**
   * Stops the server, whoever started it; its clients are disconnected. Idempotent.
   *
   * @throws EmbeddedServerError where it does not stop
   */
  stop(): Promise<void>;
}

const startTimeoutMs = 120_000;
/** With the pauses between them they span six seconds, in which the sessions of a killed server end. */
const startAttempts = 7;
const pollMs = 25;
/** Fast disconnects its clients. Immediate is what a power cut would do: safe, but the next start replays the log. */
const stopModes = [
  { mode: 'fast', waitMs: 15_000 },
  { mode: 'immediate', waitMs: 5_000 },
] as const;
/** Beyond this size the log of earlier runs is set aside at a start; only one such file is kept. */
const logLimitBytes = 1_048_576;

/** Given on the command line rather than in postgresql.conf, so that a new version of ours changes them. */
const settings = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=100',
  'shared_buffers=64MB',
  'max_wal_size=256MB',
  // Nobody replicates it. Durability (fsync, synchronous_commit, full_page_writes) stays at its safe defaults.
  'wal_level=minimal',
  'max_wal_senders=0',
  'timezone=UTC',
  'log_timezone=UTC',
  // Errors are logged without the statement and the row, which hold what users wrote.
  'log_error_verbosity=terse',
  'log_min_error_statement=panic',
  'log_checkpoints=off',
];

/** One cluster and what is needed to run it. */
interface Installation {
  directory: string;
  account: SystemAccount | undefined;
  binaries: Binaries;
  cluster: Cluster;
}

/** A port of 127.0.0.1 that was free a moment ago: the wanted one if possible. */
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
  if (size > logLimitBytes) await rename(logFile, `${logFile}.old`).catch(() => undefined);
}

async function endOfLog(logFile: string): Promise<string> {
  const log = await readFile(logFile, 'utf8').catch(() => '');
  return log.trimEnd().split('\n').slice(-5).join('\n');
}

/** Waits until the server with that process number is gone. One that somebody started meanwhile does not count. */
async function hasStopped(dataDirectory: string, processId: number, waitMs: number): Promise<boolean> {
  const deadline = performance.now() + waitMs;
  do {
    const found = await findPostmaster(dataDirectory);
    if (found.state === 'absent' || found.processId !== processId) return true;
    await delay(pollMs);
  } while (performance.now() < deadline);
  return false;
}

async function stopServer({ account, binaries, cluster, directory }: Installation): Promise<void> {
  const { dataDirectory } = cluster;
  const found = await findPostmaster(dataDirectory);
  if (found.state === 'absent') return;
  let problem = '';
  for (const { mode, waitMs } of stopModes) {
    const { status, output } = await runProgram(
      binaries.pgCtl,
      // pg_ctl would wait for any server of this directory, also for one that a waiting process has just started.
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
  const deadline = performance.now() + startTimeoutMs;
  let attempts = 0;
  let problem = '';
  while (performance.now() < deadline && attempts < startAttempts) {
    const found = await findPostmaster(cluster.dataDirectory);
    if (found.state !== 'absent') {
      const version = found.port === undefined ? undefined : await askServer(cluster, found.port);
      if (version !== undefined && found.port !== undefined) {
        return asServer(installation, { port: found.port, version, adopted: true });
      }
      if (found.state === 'running') {
        // Starting, recovering or stopping, on somebody else's behalf.
        await delay(pollMs);
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
        `--timeout=${startTimeoutMs / 1000}`,
        `--pgdata=${cluster.dataDirectory}`,
        `--log=${cluster.logFile}`,
        `--options=${[`port=${port}`, ...settings].map((setting) => `-c ${setting}`).join(' ')}`,
      ],
      account,
    );
    // Otherwise another process was faster, or took the port: the next round shows which.
    if (status === 0) {
      const version = await askServer(cluster, port);
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
 * Makes sure that the embedded PostgreSQL of a `DATA_DIR` runs: makes it on the first start, adopts it where it is
 * running, starts it otherwise. Several processes may do so at once and get the same server. Never stops a server:
 * who may use it is decided by the instance lock.
 *
 * @param options.dataDir the `DATA_DIR`; as root the database may live elsewhere, which `report` says
 * @param options.preferredPort the port to start on if it is free, so that clients of an earlier start find it again
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
    const binaries = await runnableBinaries({ binaries: found, account, stateDirectory, report });
    const cluster = await ensureCluster({ directory, account, binaries, report });
    return await startOrAdopt({ directory, account, binaries, cluster }, preferredPort);
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error;
    throw new EmbeddedServerError(
      `The embedded database of DATA_DIR (${resolve(dataDir)}) cannot be used: ${reasonOf(error)}. ` +
        'Set DATA_DIR to a writable folder, or DATABASE_URL to a PostgreSQL server.',
      { cause: error },
    );
  }
}
