import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { findPendingMigrations, howToRepair, MigrationError, readMigrations } from './migration-history.js';
import type { Migration } from './migration-history.js';
import { ADVISORY_LOCKS, closeClient, openClient, failureReason } from './postgres-client.js';
import { openSchemaEngine } from './schema-engine.js';

export { MigrationError } from './migration-history.js';

/** None of our tables is managed externally; other schemas (`bullmq`) are ignored. */
const SCHEMA_FILTERS = { externalTables: [], externalEnums: [] };

/** Error code of Prisma's engine if the database has tables, but not Prisma's own. */
const NOT_EMPTY_CODE = 'P3005';

/** Waits for a process that is applying migrations at the same time. The lock ends with the connection. */
async function lockMigrations(client: pg.Client, report: (line: string) => void): Promise<void> {
  await client.query('SET statement_timeout = 0; SET lock_timeout = 0; SET idle_session_timeout = 0');
  const key = [ADVISORY_LOCKS.class, ADVISORY_LOCKS.migrations];
  const { rows } = await client.query<{ taken: boolean }>(
    'SELECT pg_try_advisory_lock($1, $2) AS taken',
    key,
  );
  if (rows[0]?.taken) return;
  report('Another process is applying migrations. Waiting for it to finish.');
  await client.query('SELECT pg_advisory_lock($1, $2)', key);
}

async function applyWithEngine(options: {
  connectionString: string;
  directory: string;
  migrations: Migration[];
  client: pg.Client;
  report: (line: string) => void;
}): Promise<string[]> {
  const { connectionString, directory, migrations, client, report } = options;
  const opened = await openSchemaEngine({
    connectionString,
    reportWarning: (message) => {
      report(`Warning: ${message}`);
    },
  });
  try {
    const { appliedMigrationNames } = await opened.engine.applyMigrations({
      migrationsList: {
        baseDir: directory,
        lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
        shadowDbInitScript: '',
        migrationDirectories: migrations.map(({ name, sql }) => ({
          path: name,
          migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
        })),
      },
      filters: SCHEMA_FILTERS,
    });
    return appliedMigrationNames;
  } catch (error) {
    throw await explain(error, opened.failure, client);
  } finally {
    await opened.close();
  }
}

/** Converts an error of the engine to a sentence that names the migration and the remedy. */
async function explain(error: unknown, failure: unknown, client: pg.Client): Promise<MigrationError> {
  if (error instanceof Error && 'code' in error && error.code === NOT_EMPTY_CODE) {
    return new MigrationError(
      'The database already contains tables that do not belong to Parley. Set DATABASE_URL to a separate database.',
      { cause: error },
    );
  }
  const { rows } = await client
    .query<{ name: string }>(
      `SELECT migration_name AS name FROM _prisma_migrations
        WHERE finished_at IS NULL AND rolled_back_at IS NULL ORDER BY started_at DESC LIMIT 1`,
    )
    .catch(() => ({ rows: [] }));
  const cause = failure ?? error;
  const [reason] = failureReason(cause).split('\n');
  const [failed] = rows;
  return new MigrationError(
    failed
      ? `The migration ${failed.name} failed and was rolled back completely: ${reason}. ${howToRepair(failed.name)}`
      : `The migrations could not be applied: ${reason}.`,
    { cause },
  );
}

/**
 * Applies the pending migrations of `directory` under an advisory lock, so that any number of processes may do so at
 * once. If there are none, it costs a few queries and does not load the engine.
 *
 * @param options.report called with lines for the operator, including warnings that migrations raise
 * @throws MigrationError with a sentence for the operator if the database does not match or a migration fails
 */
export async function applyMigrations(options: {
  connectionString: string;
  directory: string;
  report: (line: string) => void;
}): Promise<{ applied: string[] }> {
  const { connectionString, directory, report } = options;
  const migrations = await readMigrations(directory);
  const client = await openClient(connectionString, 'parley migrations');
  try {
    await lockMigrations(client, report);
    const pending = await findPendingMigrations(client, migrations);
    if (pending.length === 0) return { applied: [] };
    report(
      `Applying ${pending.length === 1 ? 'a migration' : `${pending.length} migrations`}: ${pending.map(({ name }) => name).join(', ')}.`,
    );
    return { applied: await applyWithEngine({ connectionString, directory, migrations, client, report }) };
  } finally {
    await closeClient(client);
  }
}

/**
 * Returns the SQL that would change a database to match `schema.prisma`; empty if they match. Only the schema of the
 * connection (`public`) counts, so tables in other schemas (BullMQ's) are ignored.
 */
export async function diffSchema(options: { connectionString: string; schemaPath: string }): Promise<string> {
  const { connectionString, schemaPath } = options;
  const schema = { path: schemaPath, content: await readFile(schemaPath, 'utf8') };
  const opened = await openSchemaEngine({ connectionString, schema });
  try {
    const { stdout } = await opened.engine.diff({
      // The engine reads the database that it is connected to, regardless of the schema's own data source.
      from: { tag: 'schemaDatasource', files: [schema], configDir: '.' },
      to: { tag: 'schemaDatamodel', files: [schema] },
      script: true,
      exitCode: null,
      filters: SCHEMA_FILTERS,
    });
    const script = (stdout ?? '').trim();
    return script === '-- This is an empty migration.' ? '' : script;
  } finally {
    await opened.close();
  }
}
