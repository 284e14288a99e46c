import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A folder of one test's own, which the system user that runs an embedded database may pass through. */
export interface TemporaryDirectory {
  path: string;
  remove(): Promise<void>;
}

export function makeTemporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'parley-test-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** The first row of one statement on a connection of its own. */
export async function queryOnce(
  connectionString: string,
  sql: string,
): Promise<Record<string, unknown> | undefined> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows[0];
  } finally {
    await client.end();
  }
}

/** Makes an empty database on the server of `connectionString` and returns where it is. */
export async function makeDatabase(connectionString: string, name: string): Promise<string> {
  await queryOnce(connectionString, `create database ${name}`);
  const url = new URL(connectionString);
  url.pathname = `/${name}`;
  return url.href;
}

/** A promise and the function that fulfils it: for waiting until a callback was called. */
export interface Signal<Value> {
  promise: Promise<Value>;
  give: (value: Value) => void;
}

export function makeSignal<Value>(): Signal<Value> {
  const { promise, resolve } = Promise.withResolvers<Value>();
  return { promise, give: resolve };
}
