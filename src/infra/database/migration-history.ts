import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

/** Thrown if the migrations of this version do not match those of the database, or if one of them failed. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** A migration on disk. */
export interface Migration {
  /** Name of its folder, which begins with a timestamp. */
  name: string;
  sql: string;
}

/**
 * End of the name of a migration that older versions cannot work with, because it removes or changes what they use.
 * Part of the name, because an older version knows nothing else about it.
 */
const BREAKING_SUFFIX = '_breaking';

/** Returns true if versions that do not know a migration must not use a database that has it. */
export function isBreaking(migration: string): boolean {
  return migration.endsWith(BREAKING_SUFFIX);
}

/** Returns the applied migrations that this version does not know. */
export function findNewerMigrations(applied: readonly string[], known: readonly string[]): string[] {
  return applied.filter((name) => !known.includes(name));
}

/** A row of Prisma's migrations table. */
interface AppliedMigration {
  migration_name: string;
  checksum: string;
  finished: boolean;
  logs: string | null;
}

/**
 * Reads a folder of Prisma migrations, oldest first.
 *
 * @throws MigrationError if the folder is missing or a migration has no `migration.sql`
 */
export async function readMigrations(directory: string): Promise<Migration[]> {
  return Promise.all(
    (await listMigrations(directory)).map(async (name) => {
      const file = join(directory, name, 'migration.sql');
      try {
        return { name, sql: await readFile(file, 'utf8') };
      } catch (error) {
        throw new MigrationError(`${file} cannot be read. Reinstall Parley.`, { cause: error });
      }
    }),
  );
}

/**
 * Lists the names of the migrations in a folder, oldest first.
 *
 * @throws MigrationError if the folder is missing
 */
export async function listMigrations(directory: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    throw new MigrationError(`The migrations in ${directory} cannot be read. Reinstall Parley.`, {
      cause: error,
    });
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Compares a checksum, ignoring differences in line endings, which git may change at checkout. Prisma does the same.
 */
function hasChecksum(sql: string, checksum: string): boolean {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].some((text) => sha256(text) === checksum);
}

async function readApplied(client: pg.Client): Promise<AppliedMigration[]> {
  const { rows: tables } = await client.query<{ known: boolean }>(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS known",
  );
  if (!tables[0]?.known) return [];
  const { rows } = await client.query<AppliedMigration>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished, logs
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at`,
  );
  return rows;
}

/** Extracts PostgreSQL's own message from what the engine wrote to the log. */
function reasonIn(logs: string): string {
  const [first = '', second = first] = logs.split('\n');
  return (first === 'external connector error' ? second : first).replace('Error querying the database: ', '');
}

/** Returns one sentence that tells the operator how to repair a failed migration. */
export function howToRepair(name: string): string {
  return (
    'Fix the cause, or restore a backup; then mark it as rolled back (UPDATE _prisma_migrations SET ' +
    `rolled_back_at = now() WHERE migration_name = '${name}' AND finished_at IS NULL) and start Parley again.`
  );
}

/**
 * Deletes the row of a migration that was started but neither finished nor failed: its process was killed. Its script
 * and the update that marks it as finished are one transaction, so it was rolled back and will be applied again.
 */
async function forgetInterrupted(client: pg.Client, name: string): Promise<void> {
  await client.query(
    `DELETE FROM _prisma_migrations
      WHERE migration_name = $1 AND finished_at IS NULL AND rolled_back_at IS NULL AND logs IS NULL`,
    [name],
  );
}

/**
 * Compares the migrations on disk with those of the database.
 *
 * @returns the pending migrations, oldest first
 * @throws MigrationError if one failed, was changed after it was applied, or is unknown and breaking
 */
export async function findPendingMigrations(
  client: pg.Client,
  migrations: Migration[],
): Promise<Migration[]> {
  const applied = await readApplied(client);
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  const done = new Set<string>();
  for (const { migration_name: name, checksum, finished, logs } of applied) {
    const migration = byName.get(name);
    if (!finished && logs === null) {
      await forgetInterrupted(client, name);
      continue;
    }
    done.add(name);
    if (!finished) {
      const reason = reasonIn(logs ?? '');
      throw new MigrationError(
        `The migration ${name} failed at a previous start: ${reason}. ${howToRepair(name)}`,
      );
    }
    if (!migration) {
      // Added by a newer version, for example one that is being rolled out or was rolled back.
      if (!isBreaking(name)) continue;
      throw new MigrationError(
        `The database has the migration ${name}, which this version of Parley does not know and cannot work with: a ` +
          'newer version has used it. Start that version or a newer one, or restore an earlier backup.',
      );
    }
    if (!hasChecksum(migration.sql, checksum)) {
      throw new MigrationError(
        `The migration ${name} differs from the one that was applied to the database: its migration.sql was changed ` +
          'afterwards. Restore the original file; put changes into a new migration.',
      );
    }
  }
  return migrations.filter(({ name }) => !done.has(name));
}
