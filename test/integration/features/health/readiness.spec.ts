// Real components: the API on a socket, and PostgreSQL, whose migrations are changed while the API runs.
import { afterEach, describe, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../../support/api.js';
import { at, send } from '../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';
import { query } from '../../../support/stored.js';

const closing: (() => Promise<void>)[] = [];

/** All APIs of this file: the first one receives the lines that services log, also those of later ones. */
const started: TestApi[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function newDatabase(): Promise<TestDatabase> {
  const database = await createMigratedDatabase();
  closing.push(() => database.drop());
  return database;
}

async function startOn(database: TestDatabase): Promise<TestApi> {
  const api = await startApi({}, database);
  closing.push(() => api.close());
  started.push(api);
  return api;
}

const addMigration = (database: TestDatabase, name: string): Promise<unknown> =>
  query(
    database,
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, started_at, applied_steps_count)
     VALUES (gen_random_uuid(), 'sum', $1, now(), now(), 1)`,
    [name],
  );

async function readiness({ url }: TestApi): Promise<{ status: number; message: unknown }> {
  const { status, body } = await send(`${url}/health/ready`);
  return { status, message: status === 200 ? undefined : at(body, 'error', 'message') };
}

const READY = { status: 200, message: undefined };

const warnings = (): string[] =>
  started.flatMap(({ log }) => log.filter((line) => line.includes('migrations of a newer version')));

describe('the readiness probe', () => {
  it('fails with a sentence while the schema is older than the code, and recovers when the migration is back', async () => {
    const database = await newDatabase();
    const api = await startOn(database);
    expect(await readiness(api)).toEqual(READY);
    const last =
      'migration_name = (SELECT max(migration_name) FROM _prisma_migrations WHERE rolled_back_at IS NULL)';
    await query(database, `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE ${last}`);
    expect(await readiness(api)).toEqual({
      status: 503,
      message: expect.stringMatching(/schema is older than this version of Parley\. Apply the migrations/),
    });
    expect((await send(`${api.url}/health/live`)).status).toBe(200);
    await query(database, 'UPDATE _prisma_migrations SET rolled_back_at = NULL');
    expect(await readiness(api)).toEqual(READY);
  });

  it('succeeds with one warning while the schema is newer than the code, before and after a start', async () => {
    const database = await newDatabase();
    const before = await startOn(database);
    await addMigration(database, '20991231000000_added_later');
    expect(await readiness(before)).toEqual(READY);
    expect(await readiness(before)).toEqual(READY);
    expect(warnings()).toEqual([expect.stringContaining('20991231000000_added_later')]);
    const after = await startOn(database);
    expect(warnings()).toHaveLength(2);
    expect(await readiness(after)).toEqual(READY);
    expect(warnings()).toHaveLength(2);
  });

  it('fails with a sentence once the database has a newer migration that is marked as breaking', async () => {
    const database = await newDatabase();
    const api = await startOn(database);
    await addMigration(database, '20991231000000_removes_a_column_breaking');
    expect(await readiness(api)).toEqual({
      status: 503,
      message: expect.stringMatching(
        /belongs to a newer version of Parley that this version cannot work with/,
      ),
    });
  });

  it('fails with a sentence while the database has no tables, and never with an internal error', async () => {
    const database = await newDatabase();
    const api = await startOn(database);
    await query(database, 'ALTER TABLE _prisma_migrations RENAME TO set_aside');
    expect(await readiness(api)).toMatchObject({ status: 503 });
    await query(database, 'ALTER TABLE set_aside RENAME TO _prisma_migrations');
    expect(await readiness(api)).toEqual(READY);
  });
});
