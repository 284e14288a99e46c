import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { at, collect, listAt, registerUser, send, textOf, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { startFakeProvider } from '../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../support/fake-provider/gated-answer.js';
import { type ServerProcess, startServer } from '../support/server-process.js';

describe('the life of the built server', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  const servers: ServerProcess[] = [];

  beforeEach(async () => {
    dataDir = await makeDataDir();
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.end('SIGTERM')));
    await dataDir.remove();
  });

  function start(more: Readonly<Record<string, string>> = {}, script?: string): ServerProcess {
    const server = startServer({ DATA_DIR: dataDir.path, ...more }, script);
    servers.push(server);
    return server;
  }

  it('prints what a newcomer needs', async () => {
    const server = start();
    const url = await server.ready;
    await server.printed(/Ctrl-C/);
    expect(server.output).toContain(`${url}/docs`);
    expect(server.output).toMatch(/Database\s+embedded PostgreSQL 18/);
    expect(server.output).toMatch(/Queue\s+BullMQ on PostgreSQL/);
    expect(server.output).toMatch(/Providers\s+demo \(1 model\)/);
    expect(server.output).toMatch(/Default\s+demo\/echo/);
    expect(server.output).toContain('curl -N');
    expect((await send(`${url}/health`)).body).toMatchObject({ status: 'ok', database: 'ok' });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends it with code 0, and the database server with it',
    async (signal) => {
      const server = start();
      await server.ready;
      expect(databaseRuns(dataDir.path)).toBe(true);
      expect(await server.end(signal)).toBe(0);
      expect(databaseRuns(dataDir.path)).toBe(false);
    },
  );

  it('ends when npm is told to, though the shell in between passes no signal on', async () => {
    const server = startServer({ DATA_DIR: dataDir.path }, 'main.js', true);
    servers.push(server);
    await server.ready;
    await server.end('SIGTERM');
    expect(server.output).toContain('Stopping (whatever started this process has ended)');
    expect(databaseRuns(dataDir.path)).toBe(false);
  });

  it('lets a running answer finish before it ends', async () => {
    const provider = await startFakeProvider();
    const server = start({ OPENAI_BASE_URL: provider.baseUrl });
    const url = await server.ready;
    const user = await registerUser(url);
    const answer = gatedAnswer(['one ', 'two']);
    provider.script(answer);
    const asked = provider.nextRequest();
    const events = collect(user.stream('/api/v1/chat/stream', { message: 'Count' }));
    await asked;
    server.child.kill('SIGTERM');
    await server.printed(/Stopping/);
    answer.finish();
    expect(textOf(await events)).toBe('one two');
    expect(await server.exited).toBe(0);
    await provider.close();
  });

  it('stores a running answer as interrupted at the second signal', async () => {
    const provider = await startFakeProvider();
    const server = start({ OPENAI_BASE_URL: provider.baseUrl });
    const user = await registerUser(await server.ready);
    const answer = gatedAnswer(['one ', 'two']);
    provider.script(answer);
    const events = user.stream('/api/v1/chat/stream', { message: 'Count' });
    const seen: unknown[] = [];
    answer.release();
    for await (const { data } of events) {
      seen.push(data);
      if (at(data, 'delta') === 'one ') {
        server.child.kill('SIGTERM');
        await server.printed(/Stopping/);
        server.child.kill('SIGTERM');
      }
    }
    expect(at(seen.at(-1), 'error', 'code')).toBe('service_unavailable');
    expect(await server.exited).toBe(0);
    await provider.close();

    const again = userWith(await start().ready, user.token);
    const path = `/api/v1/conversations/${String(at(seen[0], 'conversation_id'))}/messages`;
    const [, stored] = listAt((await again.request('GET', path)).body, 'data');
    expect([at(stored, 'content'), at(stored, 'status')]).toEqual(['one ', 'interrupted']);
  });

  it('a second one beside a living one waits, says why, and stops nothing of it', async () => {
    const first = start();
    const url = await first.ready;
    const second = start();
    await second.printed(/another Parley process/i);
    expect((await send(`${url}/health/ready`)).status).toBe(200);
    await second.end('SIGTERM');
    expect((await send(`${url}/health/ready`)).status).toBe(200);
  });

  it('a waiting one takes over when the first ends', async () => {
    const first = start();
    const user = await registerUser(await first.ready);
    const second = start();
    await second.printed(/another Parley process/i);
    expect(await first.end('SIGTERM')).toBe(0);
    const me = await userWith(await second.ready, user.token).request('GET', '/api/v1/users/me');
    expect(me.status).toBe(200);
  });

  it('a wrong setting ends the start with a sentence that names it', async () => {
    const server = start({ PORT: 'eighty' });
    expect(await server.exited).toBe(1);
    expect(server.output).toContain('PORT must be a whole number from 0 to 65535; it is "eighty".');
    expect(server.output).not.toContain('    at ');
  });

  it('a port that is taken ends the start with a sentence, and the database with it', async () => {
    const first = start();
    const { port } = new URL(await first.ready);
    const other = await makeDataDir();
    const second = start({ DATA_DIR: other.path, PORT: port });
    expect(await second.exited).toBe(1);
    expect(second.output).toContain(`PORT must be free; ${port} on 127.0.0.1 is in use.`);
    expect(second.output).not.toContain('    at ');
    await other.remove();
  });

  it('a worker process without Redis says that it needs it', async () => {
    const worker = start({}, 'worker.js');
    expect(await worker.exited).toBe(1);
    expect(worker.output).toContain('REDIS_URL');
  });

  it('keeps what it generated readable for its owner only', async () => {
    const server = start();
    await server.ready;
    expect(statSync(join(dataDir.path, 'secrets', 'jwt')).mode & 0o077).toBe(0);
  });
});

/** Whether a database server runs, by the file that PostgreSQL itself keeps while one does. */
function databaseRuns(dataDir: string): boolean {
  return readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).some((name) =>
    name.endsWith('postmaster.pid'),
  );
}
