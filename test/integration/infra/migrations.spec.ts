// Real components: PostgreSQL and Prisma's schema engine.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { applyMigrations, MigrationError, diffSchema } from '../../../src/infra/database/migrations.js';
import { ADVISORY_LOCKS } from '../../../src/infra/database/postgres-client.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { makeSignal, makeTemporaryDirectory, queryOnce } from '../../support/embedded-database.js';

const root = join(import.meta.dirname, '../../..');
const ownMigrations = join(root, 'prisma', 'migrations');
const schemaPath = join(root, 'prisma', 'schema.prisma');

const directory = makeTemporaryDirectory();
const databases: TestDatabase[] = [];

async function newDatabase(): Promise<string> {
  const database = await createTestDatabase();
  databases.push(database);
  return database.url;
}

/** Creates a directory with these migrations, or adds them if it exists. */
function migrationsFolder(name: string, migrations: Record<string, string>): string {
  const folder = join(directory.path, `migrations-${name}`);
  for (const [migration, sql] of Object.entries(migrations)) {
    mkdirSync(join(folder, migration), { recursive: true });
    writeFileSync(join(folder, migration, 'migration.sql'), sql);
  }
  return folder;
}

const apply = (
  connectionString: string,
  folder: string,
  report: (line: string) => void = () => undefined,
): Promise<{ applied: string[] }> => applyMigrations({ connectionString, directory: folder, report });

const tables = async (connectionString: string): Promise<unknown> =>
  (
    await queryOnce(
      connectionString,
      "select coalesce(array_agg(tablename::text order by tablename), '{}') as names from pg_tables where " +
        "schemaname = 'public' and tablename <> '_prisma_migrations'",
    )
  )?.['names'];

describe('migrations', () => {
  afterAll(async () => {
    for (const database of databases) await database.drop();
    await directory.remove();
  });

  it('produce the schema of schema.prisma, and any difference is detected', async () => {
    const database = await newDatabase();
    // BullMQ's tables are in a separate schema, and may be created first.
    await queryOnce(database, 'create schema bullmq');
    await queryOnce(database, 'create table bullmq.job (id int primary key)');
    const reported: string[] = [];
    const { applied } = await apply(database, ownMigrations, (line) => reported.push(line));
    expect(applied.length).toBeGreaterThan(0);
    expect(reported).toEqual([expect.stringContaining(applied[0] ?? 'none')]);
    expect(await diffSchema({ connectionString: database, schemaPath })).toBe('');

    await queryOnce(database, 'alter table users add column planted int');
    expect(await diffSchema({ connectionString: database, schemaPath })).toContain('DROP COLUMN "planted"');
    await queryOnce(database, 'alter table users drop column planted');
    await queryOnce(database, 'drop index messages_one_generating_key');
    expect(await diffSchema({ connectionString: database, schemaPath })).toContain(
      `CREATE UNIQUE INDEX "messages_one_generating_key" ON "messages"("conversation_id") WHERE ("status" = 'generating')`,
    );

    expect(await apply(database, ownMigrations, (line) => reported.push(line))).toEqual({ applied: [] });
    expect(reported).toHaveLength(1);
  });

  it('index messages from before the introduction of search', async () => {
    const database = await newDatabase();
    const names = readdirSync(ownMigrations, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
    const before = names.slice(
      0,
      names.findIndex((name) => name.endsWith('_search')),
    );
    expect(before.length).toBeGreaterThan(0);
    const folder = migrationsFolder(
      'before-search',
      Object.fromEntries(
        before.map((name) => [name, readFileSync(join(ownMigrations, name, 'migration.sql'), 'utf8')]),
      ),
    );
    await apply(database, folder);
    await queryOnce(
      database,
      `with owner as (
         insert into users (id, email, password_hash) values (gen_random_uuid(), 'a@example.com', 'x') returning id
       ), conversation as (
         insert into conversations (id, user_id, title) select gen_random_uuid(), id, 'Colours' from owner returning id, user_id
       )
       insert into messages (id, conversation_id, user_id, position, role, status, content)
       select gen_random_uuid(), conversation.id, user_id, said.position, 'assistant', said.status::message_status, said.content
       from conversation, (values (0, 'complete', 'blue'), (1, 'interrupted', '...'), (2, 'generating', 'red'))
         as said (position, status, content)`,
    );
    await apply(database, ownMigrations);
    expect(
      await queryOnce(
        database,
        `select
           (select array_agg(position) from message_words where words @@ search_query(user_id, 'blue')) as found,
           (select count(*)::int from message_words) as messages,
           (select count(*)::int from title_words where words @@ search_query(user_id, 'colours')) as titles`,
      ),
    ).toEqual({ found: [0], messages: 1, titles: 1 });
  });

  it('are applied once by processes that start together', async () => {
    const database = await newDatabase();
    const results = await Promise.all([apply(database, ownMigrations), apply(database, ownMigrations)]);
    expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, expect.any(Number)]);
    expect(
      await queryOnce(
        database,
        'select count(*)::int = count(distinct migration_name) as once from _prisma_migrations',
      ),
    ).toEqual({ once: true });
  });

  it('wait for another process that is applying them, and report that', async () => {
    const database = await newDatabase();
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    await client.query('select pg_advisory_lock($1, $2)', [ADVISORY_LOCKS.class, ADVISORY_LOCKS.migrations]);
    const waits = makeSignal<string>();
    const applying = apply(database, ownMigrations, waits.give);
    expect(await waits.promise).toMatch(/Another process is applying migrations/);
    expect(await tables(database)).toEqual([]);
    await client.end();
    expect((await applying).applied.length).toBeGreaterThan(0);
  });

  it('may contain any valid PostgreSQL', async () => {
    const database = await newDatabase();
    const folder = migrationsFolder('function', {
      '001_function': `-- A comment; with a semicolon.
        create function answer() returns integer as $$ begin perform 1; return 42; end; $$ language plpgsql;
        create table quotes as select 'a;b' as text;`,
    });
    expect(await apply(database, folder)).toEqual({ applied: ['001_function'] });
    expect(await queryOnce(database, 'select answer(), text from quotes')).toEqual({
      answer: 42,
      text: 'a;b',
    });
  });

  it('that fail are rolled back, and the next start refuses until they are resolved', async () => {
    const database = await newDatabase();
    const folder = migrationsFolder('failing', {
      '001_good': 'create table good (id int)',
      '002_bad': 'create table bad (id int); select 1 / 0;',
    });
    const failure = apply(database, folder);
    await expect(failure).rejects.toThrow(MigrationError);
    await expect(failure).rejects.toThrow(/002_bad failed.*division by zero.*rolled_back_at/);
    expect(await tables(database)).toEqual(['good']);
    await expect(apply(database, folder)).rejects.toThrow(
      /002_bad failed at a previous start.*division by zero/,
    );

    migrationsFolder('failing', { '002_bad': 'create table bad (id int)' });
    await queryOnce(
      database,
      "update _prisma_migrations set rolled_back_at = now() where migration_name = '002_bad' and finished_at is null",
    );
    expect(await apply(database, folder)).toEqual({ applied: ['002_bad'] });
    expect(await tables(database)).toEqual(['bad', 'good']);
  });

  it('that were interrupted by a kill are repeated, or finished if their script was committed', async () => {
    const database = await newDatabase();
    const folder = migrationsFolder('killed', { '001_one': 'create table one (id int)' });
    await apply(database, folder);
    // Killed before the commit: the row exists, the table does not.
    await queryOnce(database, 'drop table one');
    await queryOnce(database, 'update _prisma_migrations set finished_at = null');
    expect(await apply(database, folder)).toEqual({ applied: ['001_one'] });
    expect(await tables(database)).toEqual(['one']);
    // Killed after it, before the engine marked it as finished: Parley's own mark was committed with the
    // script.
    await queryOnce(
      database,
      "update _prisma_migrations set applied_steps_count = 0 where migration_name = '001_one'",
    );
    expect(await apply(database, folder)).toEqual({ applied: [] });
  });

  it('are marked as finished in the transaction of their script', async () => {
    const database = await newDatabase();
    const folder = migrationsFolder('marked', {
      '001_one': `create table one as
        select count(*) as open from _prisma_migrations where finished_at is null`,
      '002_two': 'create table two (id int) -- without a line end, and with a comment',
    });
    await apply(database, folder);
    const row = await queryOnce(
      database,
      'select count(distinct m.migration_name) as finished from _prisma_migrations m where finished_at is not null',
    );
    expect(row).toEqual({ finished: '2' });
    expect(await queryOnce(database, 'select open from one')).toEqual({ open: '1' });
  });

  it('of a newer version are accepted, and do not prevent those of this version', async () => {
    const database = await newDatabase();
    const first = { '001_first': 'create table first (id int)' };
    const second = { '002_second': 'create table second (id int)' };
    const third = { '003_third': 'create table third (id int)' };
    await apply(database, migrationsFolder('newer', { ...first, ...third }));
    expect(await apply(database, migrationsFolder('older', first))).toEqual({ applied: [] });
    expect(await apply(database, migrationsFolder('other', { ...first, ...second }))).toEqual({
      applied: ['002_second'],
    });
  });

  it('of a newer version that are marked as breaking are refused', async () => {
    const database = await newDatabase();
    const first = { '001_first': 'create table first (id int)' };
    const second = { '002_drop_first_breaking': 'drop table first' };
    await apply(database, migrationsFolder('breaking', { ...first, ...second }));
    await expect(apply(database, migrationsFolder('before', first))).rejects.toThrow(
      /002_drop_first_breaking, which this version of Parley does not know and cannot work with/,
    );
  });

  it('that were modified after they were applied are refused, except for changed line endings', async () => {
    const database = await newDatabase();
    const sql = 'create table first (\n  id int\n);\n';
    const folder = migrationsFolder('changed', { '001_first': sql });
    await apply(database, folder);
    migrationsFolder('changed', { '001_first': sql.replaceAll('\n', '\r\n') });
    expect(await apply(database, folder)).toEqual({ applied: [] });
    migrationsFolder('changed', { '001_first': `${sql}-- and more` });
    await expect(apply(database, folder)).rejects.toThrow(/001_first differs from the one that was applied/);
  });

  it('are not applied to the database of another application', async () => {
    const database = await newDatabase();
    await queryOnce(database, 'create table theirs (id int)');
    await expect(apply(database, ownMigrations)).rejects.toThrow(
      /already contains tables that do not belong to Parley/,
    );
    expect(await tables(database)).toEqual(['theirs']);
  });

  it('that are missing from the installation are named in the error', async () => {
    const folder = migrationsFolder('incomplete', { '001_first': 'select 1' });
    mkdirSync(join(folder, '002_empty'));
    const database = await newDatabase();
    await expect(apply(database, folder)).rejects.toThrow(/002_empty\/migration\.sql cannot be read/);
    await expect(apply(database, join(folder, 'nowhere'))).rejects.toThrow(/nowhere cannot be read/);
  });

  it('are declared for PostgreSQL', () => {
    expect(readFileSync(join(ownMigrations, 'migration_lock.toml'), 'utf8')).toContain(
      'provider = "postgresql"',
    );
  });
});
