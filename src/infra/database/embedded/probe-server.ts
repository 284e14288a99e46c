import { realpath } from 'node:fs/promises';
import pg from 'pg';
import { closeClient, isServerUnavailable, openClient, failureReason } from '../postgres-client.js';
import { DATABASE_NAME } from './cluster.js';
import type { Cluster } from './cluster.js';
import { EmbeddedServerError } from './embedded-server-error.js';

/** Returns the URL of the server of `cluster` at `port`, password included. */
export function connectionStringFor(cluster: Cluster, port: number, database = DATABASE_NAME): string {
  return `postgresql://${DATABASE_NAME}:${cluster.password}@127.0.0.1:${port}/${database}`;
}

/**
 * Connects to our database. Creates it if it is missing: in a new cluster, or if a process was killed before creating
 * it.
 */
async function openDatabaseClient(cluster: Cluster, port: number): Promise<pg.Client> {
  const connect = (): Promise<pg.Client> => openClient(connectionStringFor(cluster, port), 'parley start');
  try {
    return await connect();
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '3D000') throw error;
  }
  const client = await openClient(connectionStringFor(cluster, port, 'postgres'), 'parley start');
  try {
    await client.query(`CREATE DATABASE ${DATABASE_NAME}`);
  } catch (error) {
    // Another process created it at the same time.
    if (!(error instanceof pg.DatabaseError) || !['42P04', '23505'].includes(error.code ?? '')) throw error;
  } finally {
    await closeClient(client);
  }
  return connect();
}

/**
 * Checks whether the server at `port` belongs to `cluster`. Returns its version; undefined if it does not respond yet
 * or belongs to another cluster.
 *
 * @throws EmbeddedServerError if it rejects our connection
 */
export async function probeServer(cluster: Cluster, port: number): Promise<string | undefined> {
  let client: pg.Client;
  try {
    client = await openDatabaseClient(cluster, port);
  } catch (error) {
    if (isServerUnavailable(error)) return undefined;
    throw new EmbeddedServerError(
      `The embedded database in ${cluster.dataDirectory} refused the connection: ${failureReason(error)}.`,
      { cause: error },
    );
  }
  try {
    const { rows } = await client.query<{ version: string; directory: string }>(
      "SELECT current_setting('server_version') AS version, current_setting('data_directory') AS directory",
    );
    const [row] = rows;
    if (!row || (await realpath(row.directory)) !== (await realpath(cluster.dataDirectory))) return undefined;
    return row.version;
  } catch (error) {
    if (isServerUnavailable(error)) return undefined;
    throw error;
  } finally {
    await closeClient(client);
  }
}
