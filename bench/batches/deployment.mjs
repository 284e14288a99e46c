import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { cpuMsWithChildren } from '../linux-processes.mjs';
import { DIST, makeSettings, registerAccount, startParley } from '../parley.mjs';
import { Fleet } from '../processes.mjs';
import { RedisServer } from '../redis.mjs';
import { Folders } from '../targets/index.mjs';
import { BatchClient } from './batch-client.mjs';

/** @typedef {{ servers: number, database: number }} CpuMs CPU time of the servers, and of PostgreSQL */

/** Everything that a run starts: a provider that answers at once, a PostgreSQL, and Redis if it is needed. */
export class Environment {
  fleet = new Fleet();
  #folders = new Folders();
  #redis = new RedisServer();
  #postgres;
  #provider;

  async open() {
    this.#provider = await this.fleet.start({
      name: 'The provider',
      arguments: [join(import.meta.dirname, '../provider.mjs')],
    });
    const { startEmbeddedServer } = await import(
      pathToFileURL(join(DIST, 'infra/database/embedded-server.js')).href
    );
    this.#postgres = await startEmbeddedServer({
      dataDir: await this.#folders.make(),
      report: console.error,
    });
  }

  async close() {
    await this.fleet.close();
    await this.#redis.stop();
    await this.#postgres?.stop();
    await this.#folders.remove();
  }

  /**
   * Starts the server with a database of its own.
   * @param {object} options
   * @param {boolean} [options.withWorker] true for a server with Redis and a separate worker
   */
  async deploy({ withWorker = false } = {}) {
    if (withWorker && this.#redis.url === '') await this.#redis.start();
    const database = await Database.create(this.#postgres.connectionString);
    const settings = {
      ...makeSettings(),
      DATABASE_URL: database.url,
      DATA_DIR: await this.#folders.make(),
      OPENAI_API_KEY: 'bench',
      OPENAI_BASE_URL: `${this.#provider.url}/v1`,
      DEFAULT_MODEL: 'openai/bench',
      MODEL_CONTEXT_WINDOWS: '{"openai/*":1000000}',
      ...(withWorker && {
        REDIS_URL: this.#redis.url,
        REDIS_KEY_PREFIX: `${database.name}:`,
        WORKER: 'separate',
      }),
    };
    const deployment = new Deployment(this.fleet, settings, database);
    await deployment.start();
    return deployment;
  }
}

/** A running server over a database, with its worker if it has one. */
export class Deployment {
  #fleet;
  #settings;
  #servers = [];

  constructor(fleet, settings, database) {
    this.#fleet = fleet;
    this.#settings = settings;
    this.database = database;
  }

  get server() {
    return this.#servers[0];
  }

  async start() {
    this.#servers = [await startParley(this.#fleet, { settings: this.#settings })];
    if (this.#settings.WORKER !== 'separate') return;
    this.#servers.push(await startParley(this.#fleet, { settings: this.#settings, script: 'worker.js' }));
  }

  /** Stops the processes and starts new ones over the same data. */
  async restart() {
    await this.stopServers();
    await this.start();
  }

  async stopServers() {
    for (const server of this.#servers.splice(0)) await this.#fleet.stop(server);
  }

  /** Stops the processes and drops the database. */
  async remove() {
    await this.stopServers();
    await this.database.drop();
  }

  /** Registers an account. */
  async register() {
    return new BatchClient(this, await registerAccount(this.server.url));
  }

  /** Returns the CPU time used so far. @returns {Promise<CpuMs>} */
  async cpuMs() {
    const samples = await Promise.all(this.#servers.map((server) => server.sample()));
    return {
      servers: samples.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
      database: cpuMsWithChildren(await this.database.postmasterId()),
    };
  }
}

/** Returns the CPU time between two readings for each of `count`. @param {CpuMs} from @param {CpuMs} to */
export const cpuMsEach = (from, to, count) => ({
  servers: (to.servers - from.servers) / count,
  database: (to.database - from.database) / count,
});

/** A database of a run. */
export class Database {
  #pool;
  #serverUrl;

  constructor(serverUrl, name) {
    this.#serverUrl = serverUrl;
    this.name = name;
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    this.url = url.href;
    this.#pool = new pg.Pool({ connectionString: this.url, max: 4 });
    this.#pool.on('error', () => undefined);
  }

  static #count = 0;

  static async create(serverUrl) {
    Database.#count += 1;
    const name = `bench_${process.pid}_${Database.#count}`;
    await onServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
    return new Database(serverUrl, name);
  }

  /** Runs a statement and returns its rows. */
  async query(sql, values = []) {
    return (await this.#pool.query(sql, values)).rows;
  }

  /** Runs statements in a transaction that is rolled back. @param {(client: pg.PoolClient) => Promise<any>} run */
  async rolledBack(run) {
    const client = await this.#pool.connect();
    try {
      await client.query('BEGIN');
      return await run(client);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  /** Repeats a query until its first row has a true `reached`, and returns the row. */
  async until(sql, values, everyMs = 200) {
    for (;;) {
      const [row] = await this.query(sql, values);
      if (row?.reached === true) return row;
      await delay(everyMs);
    }
  }

  async postmasterId() {
    const [{ id }] = await this.query(
      `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS id`,
    );
    return id;
  }

  async drop() {
    await this.#pool.end();
    await onServer(this.#serverUrl, `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }
}

async function onServer(connectionString, sql) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
