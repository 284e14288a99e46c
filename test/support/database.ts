import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { removeRedisKeys } from './redis.js';

/** A database for one test. */
export interface TestDatabase {
  /** The name, which is unique across all runs. */
  readonly name: string;
  /** The connection URL with credentials. */
  readonly url: string;
  /** Drops the database despite open connections, and removes the keys of its applications from Redis. */
  drop(): Promise<void>;
}

/**
 * Creates an empty UTF-8 database on the server of the test run.
 * @throws Error if the run provides no server
 */
export function createTestDatabase(): Promise<TestDatabase> {
  return createFrom('template0');
}

/**
 * Creates a database with all migrations applied.
 * @throws Error if the run provides no server
 */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return createFrom(provided('TEST_POSTGRES_TEMPLATE'));
}

async function createFrom(template: string): Promise<TestDatabase> {
  const serverUrl = provided('TEST_POSTGRES_URL');
  const name = `parley_test_${randomBytes(8).toString('hex')}`;
  await runOnServer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template} ENCODING 'UTF8'`);

  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    drop: async () => {
      await runOnServer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await removeRedisKeys({ name });
    },
  };
}

function provided(name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name} is not set: run the tests with \`npm test\`, which provides a PostgreSQL.`);
}

async function runOnServer(connectionString: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
