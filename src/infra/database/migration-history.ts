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
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    throw new MigrationError(`The migrations in ${directory} cannot be read. Reinstall Parley.`, {
      cause: error,
    });
  }
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return Promise.all(
    names.sort().map(async (name) => {
      const file = join(directory, name, 'migration.sql');
      try {
        return { name, sql: await readFile(file, 'utf8') };
      } catch (error) {
        throw new MigrationError(`${file} cannot be read. Reinstall Parley.`, { cause: error });
      }
    }),
  );
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
    "select to_regclass('_prisma_migrations') is not null as known",
  );
  if (!tables[0]?.known) return [];
  const { rows } = await client.query<AppliedMigration>(
    `select migration_name, checksum, finished_at is not null as finished, logs
       from _prisma_migrations where rolled_back_at is null order by started_at`,
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
    'Fix the cause, or restore a backup; then mark it as rolled back (update _prisma_migrations set ' +
    `rolled_back_at = now() where migration_name = '${name}' and finished_at is null) and start Parley again.`
  );
}

/**
 * Deletes the row of a migration that was started but neither finished nor failed: its process was killed. Its script
 * and the update that marks it as finished are one transaction, so it was rolled back and will be applied again.
 */
async function forgetInterrupted(client: pg.Client, name: string): Promise<void> {
  await client.query(
    `delete from _prisma_migrations
      where migration_name = $1 and finished_at is null and rolled_back_at is null and logs is null`,
    [name],
  );
}

/**
 * Compares the migrations on disk with those of the database.
 *
 * @returns the pending migrations, oldest first
 * @throws MigrationError if one failed, is unknown, or was changed after it was applied
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
      throw new MigrationError(
        `The database has the migration ${name}, which this version of Parley does not know: a newer version has ` +
          'used it. Start that version or a newer one, or restore an earlier backup.',
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
