import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

/** Maximum time for a server to print its address, in milliseconds. */
const START_MS = 60_000;

/** Maximum time for a server to stop by itself, in milliseconds. */
const STOP_MS = 30_000;

/** Maximum wait for a response of the probe, in milliseconds. */
const SAMPLE_MS = 20_000;

/** The line that contains the address of a server, or of the monitoring of a worker. */
const ADDRESS = /(?:^\s*(?:API|listening)|worker: health and metrics at)\s+(http:\/\/\S+)$/m;

const probe = pathToFileURL(join(import.meta.dirname, 'probe.mjs')).href;

/** The only environment variables that a server inherits: no database, key or proxy of the caller. */
const inherited = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'SystemRoot'];

/** A server in a process of its own. */
class ServerProcess {
  #child;
  #name;
  #asked = 0;
  /** @type {Map<number, PromiseWithResolvers<import('./probe.mjs').Sample>>} */
  #waiting = new Map();
  #output = '';
  url = '';

  /**
   * @param {string} name name used in messages
   * @param {string[]} nodeArguments the program with its Node options and arguments
   * @param {Record<string, string>} environment
   */
  constructor(name, nodeArguments, environment) {
    this.#name = name;
    const passedOn = inherited.filter((variable) => process.env[variable] !== undefined);
    this.#child = spawn(process.execPath, ['--import', probe, ...nodeArguments], {
      // The working folder of the programs, regardless of the caller's.
      cwd: import.meta.dirname,
      env: {
        ...Object.fromEntries(passedOn.map((variable) => [variable, process.env[variable]])),
        NODE_ENV: 'production',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A separate process group: Ctrl-C reaches only the runner, which stops the servers in order.
      detached: true,
    });
    this.#child.on('message', (sample) => this.#waiting.get(sample.id)?.resolve(sample));
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(this.#ended());
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output = (this.#output + text).slice(-20_000);
      });
    }
  }

  get pid() {
    return this.#child.pid;
  }

  /** Waits for the line that contains the address. */
  async listening() {
    const deadline = performance.now() + START_MS;
    for (;;) {
      const [, url] = ADDRESS.exec(this.#output) ?? [];
      if (url !== undefined) {
        this.url = url;
        return;
      }
      if (this.#hasEnded) throw this.#ended();
      if (performance.now() > deadline) throw new Error(`${this.#name} did not start: ${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * Returns what the process has used so far.
   * @param {{ collect?: boolean }} options `collect` collects garbage first
   * @returns {Promise<import('./probe.mjs').Sample>}
   */
  async sample({ collect = false } = {}) {
    if (this.#hasEnded) throw this.#ended();
    const id = (this.#asked += 1);
    const answer = Promise.withResolvers();
    this.#waiting.set(id, answer);
    const timer = setTimeout(
      () => answer.reject(new Error(`${this.#name} does not answer any more.`)),
      SAMPLE_MS,
    );
    try {
      this.#child.send({ probe: id, collect });
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  async stop() {
    if (this.#hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  get #hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #ended() {
    const how = this.#child.signalCode ?? `exit status ${this.#child.exitCode}`;
    return new Error(`${this.#name} ended (${how}): ${this.#output.trim().slice(-500)}`);
  }
}

/** The servers of a run. Stops every server that it started, and no others. */
export class Fleet {
  /** @type {Set<ServerProcess>} */
  #running = new Set();
  #closed = false;

  /**
   * Starts a server and waits until it listens.
   * @param {{ name: string, arguments: string[], environment?: Record<string, string> }} program
   */
  async start({ name, arguments: nodeArguments, environment = {} }) {
    if (this.#closed) throw new Error('The run was stopped.');
    const server = new ServerProcess(name, nodeArguments, environment);
    this.#running.add(server);
    try {
      await server.listening();
      return server;
    } catch (error) {
      await this.stop(server);
      throw error;
    }
  }

  /** @param {ServerProcess} server */
  async stop(server) {
    await server.stop();
    this.#running.delete(server);
  }

  /** Stops every server; none can be started after that. */
  async close() {
    this.#closed = true;
    await Promise.all([...this.#running].map((server) => this.stop(server)));
  }
}

/**
 * Runs a measurement of the command line: prints its failure in one line, and stops the servers, also at a signal.
 * @param {Fleet} fleet
 * @param {() => Promise<void>} run
 * @param {() => Promise<void>} clean removes what is left when the servers have stopped
 */
export async function runMeasurement(fleet, run, clean) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void fleet.close());
  try {
    await run();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    await fleet.close();
    await clean();
  }
}
