import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A directory for one test that the system user of an embedded database can traverse. */
export interface TemporaryDirectory {
  path: string;
  remove(): Promise<void>;
}

export function makeTemporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'parley-test-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** Runs one statement on a new connection and returns the first row. */
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

/** Creates an empty database on the server of `connectionString` and returns its URL. */
export async function makeDatabase(connectionString: string, name: string): Promise<string> {
  await queryOnce(connectionString, `create database ${name}`);
  const url = new URL(connectionString);
  url.pathname = `/${name}`;
  return url.href;
}

/** A promise and the function that fulfils it, for waiting on a callback. */
export interface Signal<Value> {
  promise: Promise<Value>;
  give: (value: Value) => void;
}

export function makeSignal<Value>(): Signal<Value> {
  const { promise, resolve } = Promise.withResolvers<Value>();
  return { promise, give: resolve };
}
