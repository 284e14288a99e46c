import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** A Redis server of the run, which stores nothing on disk. */
export class RedisServer {
  #child;
  url = '';

  /** Starts it on a free port. @throws Error if there is no `redis-server` */
  async start() {
    const port = await freePort();
    const options = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    this.#child = spawn('redis-server', options.map(String), {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await once(this.#child, 'spawn');
    for await (const line of createInterface({ input: this.#child.stdout })) {
      if (!line.includes('Ready to accept connections')) continue;
      this.#child.stdout.resume();
      this.url = `redis://127.0.0.1:${port}`;
      return;
    }
    throw new Error('redis-server did not start.');
  }

  async stop() {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
