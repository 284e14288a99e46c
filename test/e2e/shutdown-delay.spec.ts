// Real components: the built server as a separate process over PostgreSQL.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { at, registerUser, send } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { type ServerProcess, startServer } from '../support/server-process.js';

describe('a server with SHUTDOWN_DELAY_S', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let database: TestDatabase;
  const servers: ServerProcess[] = [];

  beforeEach(async () => {
    dataDir = await makeDataDir();
    database = await createMigratedDatabase();
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.end('SIGKILL')));
    await database.drop();
    await dataDir.remove();
  });

  function start(seconds: string): ServerProcess {
    const server = startServer({
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      SHUTDOWN_DELAY_S: seconds,
    });
    servers.push(server);
    return server;
  }

  it('fails its readiness probe at once after SIGTERM, serves requests until the delay is over, then exits with code 0', async () => {
    const server = start('2');
    const url = await server.ready;
    const user = await registerUser(url);
    const signalled = performance.now();
    server.child.kill('SIGTERM');
    await server.printed(/Stopping/);
    const ready = await send(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(at(ready.body, 'error', 'message')).toMatch(/shutting down/);
    expect((await send(`${url}/health/live`)).status).toBe(200);
    const { status } = await user.request('POST', '/api/v1/chat', { message: 'Still there?' });
    expect(status).toBe(200);
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalled).toBeGreaterThan(2_000);
  });

  it('ends the delay at the second signal', async () => {
    const server = start('300');
    await server.ready;
    server.child.kill('SIGTERM');
    await server.printed(/Stopping/);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  });
});
