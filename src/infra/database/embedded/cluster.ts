import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Binaries } from './binaries.js';
import { EmbeddedServerError } from './embedded-server-error.js';
import { runProgram } from './run-program.js';
import type { SystemAccount } from './run-program.js';

/** Name of the superuser role and of the database. */
export const DATABASE_NAME = 'parley';

/** A PostgreSQL cluster on disk. */
export interface Cluster {
  /** PostgreSQL's own data directory. */
  dataDirectory: string;
  /** File that the server writes its log to. */
  logFile: string;
  /** Password of the role {@link DATABASE_NAME}. */
  password: string;
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;

const clusterIn = (directory: string): string => join(directory, 'cluster');
const passwordIn = (directory: string): string => join(directory, 'password');

/** Flushes a folder to disk. A rename is durable only after the folder that contains it is flushed. */
async function flushFolder(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Prefix of the folder in which a cluster is created and completed, so that an incomplete one never has the final
 * name.
 */
const unfinishedPrefix = (directory: string): string => `${basename(directory)}.unfinished-`;

async function makeCluster(options: {
  directory: string;
  account: SystemAccount | undefined;
  binaries: Binaries;
}): Promise<void> {
  const { directory, account, binaries } = options;
  const home = dirname(directory);
  const unfinished = await mkdtemp(join(home, unfinishedPrefix(directory)));
  try {
    const passwordFile = passwordIn(unfinished);
    await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600, flag: 'wx', flush: true });
    if (account) {
      await chown(passwordFile, account.uid, account.gid);
      await chown(unfinished, account.uid, account.gid);
    }
    const { status, output } = await runProgram(
      binaries.initdb,
      [
        `--pgdata=${clusterIn(unfinished)}`,
        `--username=${DATABASE_NAME}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
      ],
      account,
    );
    if (status !== 0)
      throw new EmbeddedServerError(`The embedded database could not be created in ${home}: ${output}`);
    await flushFolder(unfinished);
    // Fails if another process was faster: a non-empty folder is never replaced.
    await rename(unfinished, directory);
    await flushFolder(home);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
    if (!(await exists(clusterIn(directory)))) throw error;
  }
}

/**
 * Removes the folders that killed processes left. If a process is still working in one, it finds that the cluster
 * exists and uses that.
 */
async function removeUnfinished(directory: string): Promise<void> {
  const home = dirname(directory);
  for (const name of await readdir(home)) {
    if (!name.startsWith(unfinishedPrefix(directory))) continue;
    await rm(join(home, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Ensures that a cluster exists in `directory`. Several processes may do so at once; all get the same one.
 *
 * @param options.directory folder of the cluster, its password and its log; its parent folder must exist
 * @throws EmbeddedServerError if PostgreSQL cannot create it, or another version of PostgreSQL created it
 */
export async function ensureCluster(options: {
  directory: string;
  account: SystemAccount | undefined;
  binaries: Binaries;
  report: (line: string) => void;
}): Promise<Cluster> {
  const { directory, binaries, report } = options;
  const dataDirectory = clusterIn(directory);
  const versionFile = join(dataDirectory, 'PG_VERSION');

  if (!(await exists(versionFile))) {
    const content = await readdir(directory).catch(() => []);
    if (content.length > 0) {
      throw new EmbeddedServerError(
        `${directory} is not empty and contains no database (${versionFile} is missing). Move it away and start Parley again.`,
      );
    }
    report(`Creating the embedded database in ${directory}.`);
    await makeCluster(options);
  }
  await removeUnfinished(directory);

  const version = (await readFile(versionFile, 'utf8')).trim();
  const [major] = binaries.packageVersion.split('.');
  if (version !== major) {
    throw new EmbeddedServerError(
      `The embedded database in ${directory} was created by PostgreSQL ${version}; this is PostgreSQL ${major}. ` +
        'Start the version of Parley that created it, or set another DATA_DIR or a DATABASE_URL.',
    );
  }
  return {
    dataDirectory,
    logFile: join(directory, 'server.log'),
    password: (await readFile(passwordIn(directory), 'utf8')).trim(),
  };
}
