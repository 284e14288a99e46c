import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** True if this machine has a `redis-server` that a test can start. */
export const HAS_REDIS_SERVER = spawnSync('redis-server', ['--version']).status === 0;

/**
 * A Redis server for one test, which can stop it and start it again at the same address. It stores nothing on
 * disk.
 */
export class RedisServer {
  readonly url: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `redis://127.0.0.1:${String(port)}`;
  }

  /** Reserves an address, without a listener before {@link start}. */
  static async reserve(): Promise<RedisServer> {
    const probe = createServer();
    probe.listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const address = probe.address();
    probe.close();
    await once(probe, 'close');
    if (address === null || typeof address === 'string') throw new Error('No port was given.');
    return new RedisServer(address.port);
  }

  /**
   * Starts the server and resolves when it accepts connections.
   * @param more further arguments of redis-server
   */
  async start(...more: readonly string[]): Promise<void> {
    const child = spawn(
      'redis-server',
      ['--port', String(this.#port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...more],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('Ready to accept connections')) break;
    }
    child.stdout.resume();
  }

  /** Kills the server with all its data. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const closed = once(child, 'exit');
    child.kill('SIGKILL');
    await closed;
  }
}
