// Writes a migration: `node scripts/make-migration.mjs <name>`. Applies the existing ones to a temporary embedded
// database and writes the difference to prisma/schema.prisma as prisma/migrations/<time>_<name>/migration.sql.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const root = dirname(import.meta.dirname);
const schemaPath = join(root, 'prisma', 'schema.prisma');
const migrationsDirectory = join(root, 'prisma', 'migrations');

/** Returns yyyymmddhhmmss in UTC, so that the names sort by age. */
const timeStamp = () => new Date().toISOString().replace(/\D/g, '').slice(0, 14);

async function findDifference() {
  const { startEmbeddedServer } = await import('../dist/infra/database/embedded-server.js');
  const { applyMigrations, diffSchema } = await import('../dist/infra/database/migrations.js');
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-migration-'));
  // As root, the database runs as another user, which must be able to pass through.
  chmodSync(dataDir, 0o711);
  try {
    const server = await startEmbeddedServer({ dataDir, report: () => undefined });
    try {
      const { connectionString } = server;
      await applyMigrations({ connectionString, directory: migrationsDirectory, report: () => undefined });
      return await diffSchema({ connectionString, schemaPath });
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function makeMigration(name) {
  if (name === undefined || !/^[a-z0-9_]+$/.test(name)) {
    throw new Error(
      'Usage: node scripts/make-migration.mjs <name>, with a name of small letters, digits and _',
    );
  }
  mkdirSync(migrationsDirectory, { recursive: true });
  const sql = await findDifference();
  if (sql === '') {
    console.log('Nothing to do: the migrations already lead to prisma/schema.prisma.');
    return;
  }
  const lockFile = join(migrationsDirectory, 'migration_lock.toml');
  if (!existsSync(lockFile)) {
    writeFileSync(lockFile, '# Prisma reads this file: the kind of database.\nprovider = "postgresql"\n');
  }
  const directory = join(migrationsDirectory, `${timeStamp()}_${name}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'migration.sql'), `${sql}\n`);
  console.log(`Wrote ${relative(root, directory)}/migration.sql. Read it before you commit it.`);
}

const { status } = spawnSync(process.execPath, [join(import.meta.dirname, 'bootstrap.mjs'), 'build'], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
try {
  await makeMigration(process.argv[2]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
