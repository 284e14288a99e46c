import { DEFAULT_SCHEMA, runMigrations } from 'bullmq';
import pg from 'pg';
import { QueueClient } from './queue-client.js';
import { registeredQueueNames } from './register-queue.js';

/** Number of connections for statements. Each worker has another one, which waits for notifications. */
const STATEMENT_CONNECTIONS = 4;

/**
 * The PostgreSQL connections that all queues and workers of the process share. Each of them would otherwise open a pool of
 * its own.
 */
export class QueuePool extends pg.Pool {
  /** Connections that were taken and not returned. */
  private readonly inUse = new Set<pg.PoolClient>();

  constructor(connectionString: string) {
    super({
      connectionString,
      Client: QueueClient,
      // The waiting connections would not notice a server that is gone.
      keepAlive: true,
      max: STATEMENT_CONNECTIONS + registeredQueueNames().length,
      options: `-c search_path=${DEFAULT_SCHEMA}`,
    });
    // Each queue and worker adds a listener for errors of idle connections. Before the first one there is none.
    this.setMaxListeners(0);
    this.on('error', () => undefined);
    this.on('acquire', (client) => {
      this.inUse.add(client);
      // After it was passed on, so that its user has an error and not a connection that never answers.
      if (this.ending) setImmediate(() => this.destroyClients());
    });
    this.on('release', (_error, client) => this.inUse.delete(client));
  }

  /**
   * Opens the connections, and creates or updates the tables of the queues.
   * @throws the error of the database
   */
  static async open(connectionString: string): Promise<QueuePool> {
    const pool = new QueuePool(connectionString);
    try {
      const client = await pool.connect();
      await runMigrations(client).finally(() => {
        client.release();
      });
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  /**
   * Closes all connections, those in use too. To be called when all queues and workers are closed: a worker of BullMQ that
   * is closed while it starts takes the connection that waits for notifications afterwards, and never returns it.
   */
  async close(): Promise<void> {
    if (this.ending) return;
    const ended = this.end();
    this.destroyClients();
    await ended;
  }

  private destroyClients(): void {
    for (const client of this.inUse) {
      client.release(true);
      // Its user may still return it, and the pool throws the second time.
      client.release = () => undefined;
    }
  }
}
