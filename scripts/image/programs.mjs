import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** The Debian packages of the programs that make, build and run the image. */
const packages = { buildah: 'buildah', debootstrap: 'debootstrap' };

/** A reason why images cannot be built on this machine, which is no fault of the project. */
export class Obstacle extends Error {}

/**
 * Runs a program until it exits and returns its output.
 * @throws Error with all of its output if the exit code is not the expected one
 */
export async function run(program, words, { cwd, env, input = '', expected = 0 } = {}) {
  const child = spawn(program, words, { cwd, env: { ...process.env, ...env } });
  const exit = once(child, 'close');
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [[code, signal], stdout, stderr] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  if (code !== expected) {
    const how = signal === null ? `exit code ${code}` : signal;
    throw new Error(`${program} ${words.slice(0, 3).join(' ')} … ended with ${how}:\n${stdout}${stderr}`);
  }
  return { stdout: stdout.trim(), stderr: stderr.trim() };
}

/**
 * Checks that this machine can build and run images.
 * @throws Obstacle with the reason if it cannot
 */
export function checkMachine() {
  const reason = findReason();
  if (reason !== undefined) throw new Obstacle(reason);
}

function findReason() {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid() !== 0) return 'it needs root, which mounts and changes users';
  const missing = Object.keys(packages).filter(
    (program) => spawnSync(program, ['--version']).error !== undefined,
  );
  if (missing.length > 0) {
    const names = missing.map((program) => packages[program]).join(' ');
    return `missing: ${names} (apt-get install --no-install-recommends ${names}, or --install-packages)`;
  }
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--fork', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `namespaces cannot be made: ${stderr?.trim()}`;
}

/** Installs the Debian packages of the missing programs, as root. */
export async function installPackages() {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env });
  const words = ['install', '-y', '-qq', '--no-install-recommends', ...Object.values(packages)];
  await run('apt-get', words, { env });
}
