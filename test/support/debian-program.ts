import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe } from '@jest/globals';

/** A program that some tests need and that a Debian package contains. */
export interface DebianProgram {
  readonly package: string;
  /** Path in the package, without a leading slash. */
  readonly path: string;
  /** Names of the program in PATH; none if what is installed there may be another version than is needed. */
  readonly installedAs: readonly string[];
  /** The release that has the needed version, if it may be newer than the machine's. */
  readonly suite?: string;
}

/** The path of a program, or the reason why there is none. */
export type FoundProgram = { readonly path: string } | { readonly missing: string };

/** The nginx that Compose runs, of an older version. */
export const NGINX: DebianProgram = { package: 'nginx', path: 'usr/sbin/nginx', installedAs: ['nginx'] };

export const PROMETHEUS: DebianProgram = {
  package: 'prometheus',
  path: 'usr/bin/prometheus',
  installedAs: ['prometheus'],
};

export const PROMTOOL: DebianProgram = {
  package: 'prometheus',
  path: 'usr/bin/promtool',
  installedAs: ['promtool'],
};

/** Version 2 of Docker Compose, which needs no engine to check a file. */
export const DOCKER_COMPOSE: DebianProgram = {
  package: 'docker-compose',
  path: 'usr/libexec/docker/cli-plugins/docker-compose',
  installedAs: [],
  suite: 'trixie',
};

/** Maximum duration of one command of apt or dpkg, in milliseconds. */
const COMMAND_MS = 60_000;

/** Keys of the package archive, which every Debian has. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Folder in which packages are unpacked, once for all runs. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'parley-test-programs');

/**
 * Finds a program: installed, unpacked by an earlier run, or downloaded from Debian's package archive. Installs nothing.
 */
export async function findProgram(program: DebianProgram): Promise<FoundProgram> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const installed = program.installedAs
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
  if (installed !== undefined) return { path: installed };
  const unpacked = join(CACHE, `${program.package}-${program.suite ?? 'own'}`);
  const path = join(unpacked, program.path);
  try {
    if (!existsSync(path)) await unpack(program, unpacked);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { missing: `${program.package} is not installed and cannot be downloaded: ${reason}` };
  }
  return existsSync(path) ? { path } : { missing: `the package ${program.package} has no ${program.path}` };
}

/** Defines tests that need a program: skipped, and reported on stderr, on a machine without it. */
export function describeWithProgram(name: string, found: FoundProgram, tests: (path: string) => void): void {
  if ('path' in found) {
    describe(name, () => {
      tests(found.path);
    });
    return;
  }
  process.stderr.write(`SKIPPED: ${name}: ${found.missing}\n`);
  describe.skip(name, () => {
    tests('/nowhere');
  });
}

/** Downloads and unpacks a package. Other workers may do the same: the first complete folder stays. */
async function unpack({ package: name, suite }: DebianProgram, target: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'work-'));
  try {
    const options = suite === undefined ? [] : await optionsOfSuite(suite, work);
    await runCommand('apt-get', [...options, 'download', name], work);
    const archive = (await readdir(work)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download left no file.');
    await runCommand('dpkg-deb', ['-x', archive, 'root'], work);
    // If another worker was faster, its folder is not empty and stays.
    await rename(join(work, 'root'), target).catch(() => undefined);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Reads the package lists of another release into a folder, and returns the options that make apt-get use them. */
async function optionsOfSuite(suite: string, work: string): Promise<string[]> {
  const targets = await runCommand('apt-get', ['indextargets', '--format', '$(REPO_URI)'], work);
  const uri = targets.split('\n').find((line) => /\/debian\/?$/.test(line));
  if (uri === undefined) throw new Error('apt has no Debian archive among its sources.');
  await writeFile(join(work, 'sources.list'), `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`);
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    await mkdir(join(work, folder), { recursive: true });
  const options = [
    `-oDir::Etc::SourceList=${join(work, 'sources.list')}`,
    '-oDir::Etc::SourceParts=/dev/null',
    `-oDir::State::Lists=${join(work, 'lists')}`,
    `-oDir::Cache=${join(work, 'cache')}`,
    // The user _apt cannot enter the folder.
    '-oAPT::Sandbox::User=root',
  ];
  await runCommand('apt-get', [...options, 'update', '-qq'], work);
  return options;
}

async function runCommand(command: string, parameters: readonly string[], cwd: string): Promise<string> {
  const child = spawn(command, parameters, { cwd, timeout: COMMAND_MS, stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode === 0) return output;
  const lastLine = errors.trim().split('\n').at(-1) ?? '';
  throw new Error(`${command} failed${lastLine && `: ${lastLine}`}`);
}
