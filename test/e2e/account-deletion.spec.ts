// Real components: the built server as a process that is killed, and PostgreSQL.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { idOf } from '../support/accounts.js';
import { registerUser } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { fillAccount, rowsOf } from '../support/fill-account.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

let database: TestDatabase;
let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
const servers: ServerProcess[] = [];

beforeEach(async () => {
  database = await createMigratedDatabase();
  dataDir = await makeDataDir();
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.end('SIGTERM')));
  await database.drop();
  await dataDir.remove();
});

function start(): ServerProcess {
  const server = startServer({ DATA_DIR: dataDir.path, DATABASE_URL: database.url });
  servers.push(server);
  return server;
}

async function messagesOf(userId: string): Promise<number> {
  const [row] = await query(database, 'SELECT count(*)::int AS n FROM messages WHERE user_id = $1', [userId]);
  return Number(row?.['n']);
}

it('the deletion of an account that is interrupted by SIGKILL is completed after a restart', async () => {
  const first = start();
  const url = await first.ready;
  // The first account is the last admin, which cannot be deleted.
  await registerUser(url);
  const user = await registerUser(url);
  const userId = await idOf(user);
  await fillAccount(database, userId, { conversations: 200, messages: 100 });
  user.request('DELETE', '/api/v1/users/me').catch(() => undefined);
  await until('the first batches to be deleted', async () => (await messagesOf(userId)) < 20_000);
  await first.end('SIGKILL');
  expect(await messagesOf(userId)).toBeGreaterThan(0);

  await start().ready;
  await until(
    'the account to be gone',
    async () => (await query(database, 'SELECT 1 FROM users WHERE id = $1', [userId])).length === 0,
  );
  expect(await rowsOf(database, userId)).toEqual({});
}, 120_000);
