import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './programs.mjs';

/**
 * Starts a program as a container: a new root folder, process 1 of its own process namespace, a fresh /tmp, a volume
 * at /data. The words are the root folder, the volume, ro or rw, a user, and the program. The network is the machine's.
 */
const enterContainer = `
set -eu
root=$1 volume=$2 mode=$3 user=$4
shift 4
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --bind "$volume" "$root/data"
mount -o "remount,bind,$mode" "$root"
exec chroot --userspec="$user" --groups="\${user#*:}" "$root" "$@"
`;

/** Longest time that an operator has to wait for a stop, in milliseconds. */
const stopLimitMs = 35_000;

/** The id of the only child of a process: process 1 of the container. */
async function childOf(processId) {
  return Number((await readFile(`/proc/${processId}/task/${processId}/children`, 'utf8')).trim());
}

/** The image as a runtime sees it: its folder and its settings. */
export class Image {
  #folder;
  #volumes;
  #running = new Set();

  /** @param options.folder the mounted image; @param options.volumes a folder for the volumes */
  constructor({ folder, volumes, config }) {
    this.#folder = folder;
    this.#volumes = volumes;
    this.config = config;
  }

  /** Creates a volume as a container engine does: with the content and the rights of the folder in the image. */
  async createVolume() {
    const volume = join(await mkdtemp(join(this.#volumes, 'volume-')), 'data');
    await run('cp', ['--archive', join(this.#folder, 'data'), volume]);
    return volume;
  }

  /** Starts a command of the image; without one, its CMD. Resolves when its output can be read. */
  start({ command = this.config.Cmd, env = {}, user, readOnly = false, volume, input = '' }) {
    const [id, group = id === '1000' ? '1000' : '0'] = (user ?? this.config.User).split(':');
    const variables = [...this.config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    const program = ['/usr/bin/env', '-i', '-C', this.config.WorkingDir, ...variables, ...command];
    const place = [this.#folder, volume, readOnly ? 'ro' : 'rw', `${id}:${group}`];
    const child = spawn(
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', enterContainer, 'sh', ...place, ...program],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const container = new Container(child);
    this.#running.add(container);
    void container.exited.then(() => this.#running.delete(container));
    return container;
  }

  /** Runs a command until it exits. Resolves with its exit code and its output. */
  async run(options) {
    const container = this.start(options);
    return { code: await container.exited, output: container.output };
  }

  /** Runs the HEALTHCHECK of the image, as an engine does in a running container. */
  checkHealth(options) {
    const [kind, ...command] = this.config.Healthcheck.Test;
    if (kind !== 'CMD') throw new Error(`The HEALTHCHECK needs a shell: ${kind}.`);
    return this.run({ ...options, command });
  }

  /** Kills everything that still runs. */
  async close() {
    for (const container of this.#running) await container.signal('SIGKILL');
    await Promise.all([...this.#running].map(({ exited }) => exited));
  }
}

/** A running container. */
class Container {
  output = '';

  constructor(child) {
    this.child = child;
    this.exited = once(child, 'close').then(([code, signal]) => code ?? signal);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
  }

  /** Resolves when the output has the text. */
  async printed(text) {
    while (!this.output.includes(text)) {
      const ended = await Promise.race([
        this.exited.then(() => true),
        once(this.child.stdout, 'data').then(() => false),
      ]);
      if (ended && !this.output.includes(text))
        throw new Error(`The container ended before it printed "${text}":\n${this.output}`);
    }
  }

  async signal(signal) {
    process.kill(await childOf(this.child.pid), signal);
  }

  /** Stops as an engine does. Resolves with the exit code and the time that it took, in milliseconds. */
  async stop(signal) {
    const begin = performance.now();
    await this.signal(signal);
    const late = setTimeout(() => void this.signal('SIGKILL'), stopLimitMs);
    const code = await this.exited;
    clearTimeout(late);
    return { code, ms: performance.now() - begin };
  }
}
