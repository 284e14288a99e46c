import { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import pg from 'pg';

/** How long a query waits for a connection of the pool before it fails, in milliseconds. */
export const CONNECTION_TIMEOUT_MS = 5_000;

/**
 * How long one statement may take, in milliseconds, and how long a transaction may wait for its next one. The server
 * sees to it, so that what a process has left behind a broken wire does not hold its locks for as long as TCP believes
 * in it. Migrations run on a connection of their own, without it.
 */
const STATEMENT_TIMEOUT_MS = 8_000;

/**
 * How long nothing may come over a connection that somebody waits for, in milliseconds. Longer than the server's own
 * bound, whose answer would have come: such a connection leads nowhere. Short enough that a checkpoint which waited for
 * it is made again before the lease of its answer ends.
 */
const SILENCE_MS = 10_000;

/** How long nothing may come before the system asks whether the other end is still there, in milliseconds. */
const KEEP_ALIVE_MS = 10_000;

export interface PoolOptions {
  readonly connectionString: string;
  readonly poolMax: number;
  /** In place of `STATEMENT_TIMEOUT_MS`. */
  readonly statementTimeoutMs?: number;
  /** In place of `SILENCE_MS`. */
  readonly silenceMs?: number;
}

/** The connections of a process, none of which keeps anybody waiting for ever. */
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
    // By statements, since poolers in front of a PostgreSQL refuse a connection that asks for it as it begins.
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
    // A connection that breaks is an 'error' event as well, for which nobody listens as yet, and which would end the
    // process. Whoever waits for a statement hears of it by that.
    client.on('error', () => undefined);
  });
  // The pool emits the break of an idle connection as an 'error' too, which would end the process; it drops that connection.
  pool.on('error', () => undefined);
  dropSilentConnections(pool, silenceMs);
  return pool;
}

/**
 * Breaks a connection on which nothing comes though it is in use; whoever waits for it then hears that it broke. The
 * idle ones go with it: they lead the same way, and each would cost the next query as long again.
 */
function dropSilentConnections(pool: pg.Pool, silenceMs: number): void {
  const logger = new Logger('Database');
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
