// Real components: the built API as a separate process, PostgreSQL, and a separate Redis server.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { at, registerUser } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { askDashboard, openDashboard, queueNamesIn } from '../support/queue-dashboard.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

if (!HAS_REDIS_SERVER)
  process.stderr.write('SKIPPED: the queue dashboard without Redis: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('the queue dashboard of an API with separate workers', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let database: TestDatabase;
  let redis: RedisServer;
  let server: ServerProcess;

  beforeEach(async () => {
    dataDir = await makeDataDir();
    database = await createMigratedDatabase();
    redis = await RedisServer.reserve();
    server = startServer({
      DATA_DIR: dataDir.path,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      WORKER: 'separate',
      JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
    });
  });

  afterEach(async () => {
    await server.end('SIGKILL');
    await redis.stop();
    await database.drop();
    await dataDir.remove();
  });

  it('answers 503 while Redis is away, shows the queues of the workers too, and does not delay the stop', async () => {
    const url = await server.ready;
    const admin = await registerUser(url);
    await query(database, `UPDATE users SET role = 'admin' WHERE email = $1`, [admin.email]);
    const [cookie] = await openDashboard(admin);
    const expectAway = async (): Promise<void> => {
      const answer = await askDashboard(url, cookie);
      expect([answer.status, at(answer.body, 'error', 'code')]).toEqual([503, 'service_unavailable']);
      expect(answer.headers.get('retry-after')).toBe('5');
      // The page itself needs no queue.
      expect((await askDashboard(url, cookie, '')).status).toBe(200);
    };
    await expectAway();
    await redis.start();
    const answer = await until('the dashboard to show the queues', async () => {
      const found = await askDashboard(url, cookie);
      return found.status === 200 && found;
    });
    expect(queueNamesIn(answer)).toEqual(expect.arrayContaining(['scheduled-tasks', 'turns', 'file-texts']));
    await redis.stop();
    await until('the server to notice that Redis is away', async () => {
      return (await askDashboard(url, cookie)).status === 503;
    });
    await expectAway();
    expect(await server.end('SIGTERM')).toBe(0);
    expect(server.output).not.toMatch(/took too long|could not close/);
  });
});
