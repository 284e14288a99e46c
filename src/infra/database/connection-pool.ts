import { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import pg from 'pg';

/** Maximum time that a query waits for a connection of the pool before it fails, in milliseconds. */
export const CONNECTION_TIMEOUT_MS = 5_000;

/**
 * Maximum duration of a statement and of a transaction's idle time between statements, in milliseconds. The server
 * enforces it, so that the session of a process whose connection broke does not hold its locks until TCP notices.
 * Migrations run on a connection of their own, without this timeout.
 */
const STATEMENT_TIMEOUT_MS = 8_000;

/**
 * Maximum silence of a connection in use, in milliseconds. Longer than the server's own timeout, whose error would
 * have arrived by then: such a connection is dead. Short enough that a checkpoint which waited on it is repeated
 * before the lease of its answer expires.
 */
const SILENCE_MS = 10_000;

/** Idle time before the operating system probes whether the other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 10_000;

export interface PoolOptions {
  readonly connectionString: string;
  readonly poolMax: number;
  /** Overrides `STATEMENT_TIMEOUT_MS`. */
  readonly statementTimeoutMs?: number;
  /** Overrides `SILENCE_MS`. */
  readonly silenceMs?: number;
}

/** Opens the connection pool of the process, with timeouts that keep any query from waiting forever. */
export function openPool({
  connectionString,
  poolMax: max,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  silenceMs = SILENCE_MS,
}: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
    application_name: 'parley',
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // Set by a statement, because poolers in front of PostgreSQL reject connections that set it as a startup
    // parameter.
    verify: (client, done) => {
      client
        .query(
          `SET statement_timeout = ${statementTimeoutMs}; SET idle_in_transaction_session_timeout = ${statementTimeoutMs}`,
        )
        .then(() => {
          done();
        }, done);
    },
  });
  pool.on('connect', (client) => {
    // A broken connection also emits 'error', which nobody handles yet and which would end the process. Callers that
    // wait for a statement get the error from that statement.
    client.on('error', () => undefined);
  });
  // The pool emits 'error' for a broken idle connection too, which would end the process; it drops that connection.
  pool.on('error', () => undefined);
  dropSilentConnections(pool, silenceMs);
  return pool;
}

/**
 * Destroys a connection that receives nothing while it is in use; its pending query then fails. Idle connections are
 * destroyed too: they lead to the same server, and each would cost the next query the same wait.
 */
function dropSilentConnections(pool: pg.Pool, silenceMs: number): void {
  const logger = new Logger('ConnectionPool');
  const idle = new Set<pg.PoolClient>();
  pool.on('acquire', (client) => idle.delete(client));
  pool.on('release', (_error, client) => idle.add(client));
  pool.on('remove', (client) => idle.delete(client));
  pool.on('connect', (client) => {
    const { stream } = client.connection;
    if (!(stream instanceof Socket)) return;
    stream.setTimeout(silenceMs, () => {
      if (idle.has(client)) return;
      logger.warn(`the database did not respond for ${silenceMs} ms; reconnecting`);
      for (const { connection } of [client, ...idle]) connection.stream.destroy();
    });
  });
}
