// Real components: the built server as separate processes with their embedded database. A start takes
// seconds, so tests reuse the server that the previous test left running.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { at, collect, listAt, registerUser, send, textOf, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { type FakeProvider, startFakeProvider } from '../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../support/fake-provider/gated-answer.js';
import { type ServerProcess, startServer } from '../support/server-process.js';

describe('the built server', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let provider: FakeProvider;
  const servers: ServerProcess[] = [];
  /** The server that tests share. */
  let shared: ServerProcess | undefined;

  beforeAll(async () => {
    dataDir = await makeDataDir();
    provider = await startFakeProvider();
  });

  afterEach(async () => {
    provider.reset();
    await end(servers.filter((server) => server !== shared));
  });

  afterAll(async () => {
    await end(servers);
    await provider.close();
    await dataDir.remove();
  });

  async function end(some: readonly ServerProcess[]): Promise<void> {
    await Promise.all(some.map((server) => server.end('SIGTERM')));
    for (const server of some) servers.splice(servers.indexOf(server), 1);
  }

  function start(more: Readonly<Record<string, string>> = {}, script?: string): ServerProcess {
    const server = startServer({ DATA_DIR: dataDir.path, ...more }, script);
    servers.push(server);
    return server;
  }

  const startWithProvider = (): ServerProcess => start({ OPENAI_BASE_URL: provider.baseUrl });

  /** Returns the server that a test left running, or starts one. */
  async function running(): Promise<ServerProcess> {
    const isAlive = shared?.child.exitCode === null && shared.child.signalCode === null;
    if (shared === undefined || !isAlive) shared = startWithProvider();
    await shared.ready;
    return shared;
  }

  it('prints the information for a first use, and makes generated secrets readable for their owner only', async () => {
    shared = start();
    const url = await shared.ready;
    await shared.printed(/Ctrl-C/);
    expect(shared.output).toContain(`${url}/docs`);
    expect(shared.output).toMatch(/Database\s+embedded PostgreSQL 18/);
    expect(shared.output).toMatch(/Queue\s+BullMQ on PostgreSQL/);
    expect(shared.output).toMatch(/Providers\s+demo \(1 model\)/);
    expect(shared.output).toMatch(/Default\s+demo\/echo/);
    expect(shared.output).toContain('curl -N');
    expect((await send(`${url}/health`)).body).toMatchObject({ status: 'ok', database: 'ok' });
    expect(statSync(join(dataDir.path, 'secrets', 'jwt')).mode & 0o077).toBe(0);
  });

  it('exits with a one-line error if its port is taken, and stops its database', async () => {
    const { port } = new URL(await (await running()).ready);
    const other = await makeDataDir();
    try {
      const second = start({ DATA_DIR: other.path, PORT: port });
      expect(await second.exited).toBe(1);
      expect(second.output).toContain(`PORT ${port} on 127.0.0.1 is already in use.`);
      expect(second.output).not.toContain('    at ');
      expect(databaseRuns(other.path)).toBe(false);
    } finally {
      await other.remove();
    }
  });

  it('waits and reports why if another one is running on the same data, which it does not disturb', async () => {
    const url = await (await running()).ready;
    const second = start();
    await second.printed(/another Parley process/i);
    expect((await send(`${url}/health/ready`)).status).toBe(200);
    await second.end('SIGTERM');
    expect((await send(`${url}/health/ready`)).status).toBe(200);
  });

  it('takes over when the running one ends', async () => {
    const first = await running();
    const user = await registerUser(await first.ready);
    const second = startWithProvider();
    await second.printed(/another Parley process/i);
    expect(await first.end('SIGTERM')).toBe(0);
    const me = await userWith(await second.ready, user.token).request('GET', '/api/v1/users/me');
    expect(me.status).toBe(200);
    shared = second;
  });

  it('stores a running answer as interrupted at the second SIGINT, and exits with code 0 and its database', async () => {
    const server = await running();
    const user = await registerUser(await server.ready);
    const answer = gatedAnswer(['one ', 'two']);
    provider.script(answer);
    const events = user.stream('/api/v1/chat/stream', { message: 'Count' });
    const seen: unknown[] = [];
    answer.release();
    for await (const { data } of events) {
      seen.push(data);
      if (at(data, 'delta') === 'one ') {
        server.child.kill('SIGINT');
        await server.printed(/Stopping/);
        server.child.kill('SIGINT');
      }
    }
    expect(at(seen.at(-1), 'error', 'code')).toBe('service_unavailable');
    expect(await server.exited).toBe(0);
    expect(databaseRuns(dataDir.path)).toBe(false);

    const again = userWith(await (await running()).ready, user.token);
    const path = `/api/v1/conversations/${String(at(seen[0], 'conversation_id'))}/messages`;
    const [, stored] = listAt((await again.request('GET', path)).body, 'data');
    expect([at(stored, 'content'), at(stored, 'status')]).toEqual(['one ', 'interrupted']);
  });

  it('lets a running answer finish at SIGTERM, and exits with code 0 and its database', async () => {
    const server = await running();
    const user = await registerUser(await server.ready);
    const answer = gatedAnswer(['one ', 'two']);
    provider.script(answer);
    const asked = provider.nextRequest();
    const events = collect(user.stream('/api/v1/chat/stream', { message: 'Count' }));
    await asked;
    expect(databaseRuns(dataDir.path)).toBe(true);
    server.child.kill('SIGTERM');
    await server.printed(/Stopping/);
    answer.finish();
    expect(textOf(await events)).toBe('one two');
    expect(await server.exited).toBe(0);
    expect(databaseRuns(dataDir.path)).toBe(false);
  });

  it('stops when npm receives a signal that the shell in between does not forward', async () => {
    const server = startServer({ DATA_DIR: dataDir.path }, 'main.js', true);
    servers.push(server);
    await server.ready;
    await server.end('SIGTERM');
    expect(server.output).toContain('Stopping (the parent process has ended)');
    expect(databaseRuns(dataDir.path)).toBe(false);
  });

  it('exits with a one-line error that names an invalid setting', async () => {
    const server = start({ PORT: 'eighty' });
    expect(await server.exited).toBe(1);
    expect(server.output).toContain('PORT must be a whole number from 0 to 65535; it is "eighty".');
    expect(server.output).not.toContain('    at ');
  });

  it('exits as a worker with an error that names REDIS_URL if there is no Redis', async () => {
    const worker = start({}, 'worker.js');
    expect(await worker.exited).toBe(1);
    expect(worker.output).toContain('REDIS_URL');
  });
});

/** Checks whether a database server runs by PostgreSQL's own file. */
function databaseRuns(dataDir: string): boolean {
  return readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).some((name) =>
    name.endsWith('postmaster.pid'),
  );
}
