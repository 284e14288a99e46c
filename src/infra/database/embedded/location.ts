import { createHash } from 'node:crypto';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedServerError } from './embedded-server-error.js';
import { runProgram } from './run-program.js';
import type { SystemAccount } from './run-program.js';

/** Folder for files that the system user `postgres` must access and cannot access at their original location. */
export const STATE_DIRECTORY = '/var/lib/parley';

/** Location of the database of a `DATA_DIR` and the user that runs it. */
export interface Location {
  /** Folder of the embedded database: the cluster, its password and its log. */
  directory: string;
  /** System user that owns it; undefined if it is the user of this process. */
  account: SystemAccount | undefined;
}

/** Returns the folder of the embedded database in `home`. */
const databaseDirectory = (home: string): string => join(home, 'postgresql');

/** Reads the user and group id of a system user; undefined if there is no such user. */
async function findAccount(name: string): Promise<SystemAccount | undefined> {
  const [user, group] = await Promise.all([runProgram('id', ['-u', name]), runProgram('id', ['-g', name])]);
  if (user.status !== 0 || group.status !== 0) return undefined;
  return { name, uid: Number(user.output), gid: Number(group.output) };
}

async function findOrMakePostgresAccount(report: (line: string) => void): Promise<SystemAccount> {
  const existing = await findAccount('postgres');
  if (existing) return existing;
  report('PostgreSQL does not run as root: creating the system user postgres.');
  const commands: [string, string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--home-dir', STATE_DIRECTORY, 'postgres']],
    ['adduser', ['--system', '--group', '--no-create-home', '--home', STATE_DIRECTORY, 'postgres']],
    // BusyBox creates the group of the same name itself.
    ['adduser', ['-S', '-D', '-H', '-h', STATE_DIRECTORY, 'postgres']],
  ];
  const problems: string[] = [];
  for (const [program, programArguments] of commands) {
    const { output } = await runProgram(program, programArguments);
    // Checked again regardless of the program's result: another process may have created the user at the same time.
    const account = await findAccount('postgres');
    if (account) return account;
    problems.push(output);
  }
  throw new EmbeddedServerError(
    `PostgreSQL does not run as root, and the system user postgres could not be created (${problems.join('; ')}). ` +
      'Run Parley as another user, or set DATABASE_URL to a PostgreSQL server.',
  );
}

async function canEnter(account: SystemAccount, directory: string): Promise<boolean> {
  const { status } = await runProgram('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], account);
  return status === 0;
}

/** Returns the owner of a database directory; undefined if there is none. */
async function ownerOf(directory: string): Promise<SystemAccount | undefined> {
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) return undefined;
  const { status, output } = await runProgram('id', ['-un', String(found.uid)]);
  return { name: status === 0 ? output : `number ${found.uid}`, uid: found.uid, gid: found.gid };
}

/**
 * Locates the database as root. PostgreSQL refuses to run as root, so another user runs it in a folder that this user
 * can access.
 */
async function locateAsRoot(dataDir: string, report: (line: string) => void): Promise<Location> {
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const homes = [dataDir, join(STATE_DIRECTORY, hash)] as const;
  const moved = `The embedded database of ${dataDir} is in ${homes[1]}, because the system user`;

  // An existing database is used at its location and with its owner: choosing again could silently abandon it.
  for (const home of homes) {
    const directory = databaseDirectory(home);
    const owner = await ownerOf(directory);
    if (!owner || owner.uid === 0) continue;
    if (!(await canEnter(owner, directory))) {
      throw new EmbeddedServerError(
        `The embedded database in ${directory} belongs to the system user ${owner.name}, which can no longer ` +
          'access it. Let that user access every parent folder (chmod o+x), or set DATABASE_URL.',
      );
    }
    if (home !== dataDir) report(`${moved} ${owner.name} cannot access that directory.`);
    return { directory, account: owner };
  }

  const account = await findOrMakePostgresAccount(report);
  if (await canEnter(account, dataDir)) return { directory: databaseDirectory(dataDir), account };
  await mkdir(homes[1], { recursive: true });
  // The user must be able to pass through, regardless of the umask.
  for (const directory of [STATE_DIRECTORY, homes[1]]) await chmod(directory, 0o755);
  report(`${moved} ${account.name} cannot access that directory.`);
  return { directory: databaseDirectory(homes[1]), account };
}

/**
 * Decides where the embedded database of a `DATA_DIR` lives and which system user runs it, and creates its parent
 * folder.
 *
 * @param dataDir an absolute path
 * @throws EmbeddedServerError if no user can run it there
 */
export async function locateDatabase(dataDir: string, report: (line: string) => void): Promise<Location> {
  const isRoot = process.getuid?.() === 0;
  // As root, the database's user must be able to pass through; nobody needs to list the folder.
  await mkdir(dataDir, { recursive: true, mode: isRoot ? 0o711 : 0o700 });
  if (isRoot) return locateAsRoot(dataDir, report);

  const directory = databaseDirectory(dataDir);
  const owner = await ownerOf(directory);
  if (owner && process.getuid && owner.uid !== process.getuid()) {
    throw new EmbeddedServerError(
      `The embedded database in ${directory} belongs to another user (uid ${owner.uid}). Start Parley as root ` +
        'or as that user, as before, or set another DATA_DIR or a DATABASE_URL.',
    );
  }
  return { directory, account: undefined };
}
