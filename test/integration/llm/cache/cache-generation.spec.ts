// Real components: two applications on sockets, PostgreSQL, Redis, and the provider's protocol. A separate
// file, because a process uses one kind of queue for its whole life.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { idOf } from '../../../support/accounts.js';
import { startApi, type TestApi } from '../../../support/api.js';
import { at, registerUser, type TestUser, userWith } from '../../../support/client.js';
import { createMigratedDatabase, type TestDatabase } from '../../../support/database.js';
import { type FakeProvider, startFakeProvider } from '../../../support/fake-provider/fake-provider.js';
import { describeWithRedis, redisKeyPrefix } from '../../../support/redis.js';
import { query, until } from '../../../support/stored.js';

describeWithRedis('with Redis, deleting', (redisUrl) => {
  let provider: FakeProvider;
  let database: TestDatabase;
  let one: TestApi;
  let two: TestApi;

  beforeAll(async () => {
    provider = await startFakeProvider();
    database = await createMigratedDatabase();
    const environment = {
      OPENAI_BASE_URL: provider.baseUrl,
      DEFAULT_MODEL: 'openai/test-model',
      JWT_SECRET: 'one secret for all processes of these tests',
      WORKER: 'separate',
    };
    one = await startApi(environment, database);
    two = await startApi(environment, database);
  });

  afterEach(() => {
    provider.reset();
  });

  afterAll(async () => {
    await one.close();
    await two.close();
    await database.drop();
    await provider.close();
  });

  const cached = async (user: TestUser, message: string): Promise<unknown> =>
    at((await user.request('POST', '/api/v1/chat', { message, cache: true })).body, 'cached');

  /**
   * Runs the work and returns the commands on keys of this test that Redis received meanwhile; SCAN has the
   * keys in its pattern.
   */
  async function commandsDuring(work: () => Promise<void>): Promise<string[]> {
    const client = new Redis(redisUrl);
    const monitor = client.duplicate({ monitor: true });
    const commands: string[] = [];
    const prefix = redisKeyPrefix(database);
    const last = `${prefix}last`;
    // ioredis takes lines that arrive with the first reply, or while it disconnects, for replies to commands that it
    // never sent.
    monitor.on('error', () => undefined);
    monitor.on('monitor', (_time: string, [command = '', ...parameters]: string[]) => {
      if (parameters.some((text) => text.startsWith(prefix))) commands.push(command.toLowerCase());
    });
    try {
      await new Promise<void>((resolve) => {
        monitor.once('monitoring', () => {
          resolve();
        });
      });
      await work();
      await client.exists(last);
      await until('the monitor to catch up', () => commands.includes('exists'));
    } finally {
      monitor.disconnect();
      client.disconnect();
    }
    return commands;
  }

  it('a conversation clears the account’s cached answers in both processes, and no other account’s, without a SCAN', async () => {
    const user = await registerUser(one.url);
    const elsewhere = userWith(two.url, user.token);
    const other = await registerUser(one.url);
    const message = `A question at ${Date.now()}`;
    const first = await user.request('POST', '/api/v1/chat', { message, cache: true });
    await other.request('POST', '/api/v1/chat', { message, cache: true });
    expect(await cached(elsewhere, message)).toBe(true);
    const path = `/api/v1/conversations/${String(at(first.body, 'conversation_id'))}`;
    const commands = await commandsDuring(async () => {
      expect((await user.request('DELETE', path)).status).toBe(204);
    });
    expect(commands).not.toContain('scan');
    expect(await cached(user, message)).toBe(false);
    expect(await cached(other, message)).toBe(true);
    // The answer of the next generation, which the first process has just cached.
    await until('the other process to follow', () => cached(elsewhere, message));
    const rows = await query(database, 'SELECT cache_generation AS n FROM users WHERE id = $1', [
      await idOf(user),
    ]);
    expect(rows).toEqual([{ n: 1 }]);
  });

  it('a conversation clears the cache of a process that misses the notification, too', async () => {
    const user = await registerUser(one.url);
    const message = `Another question at ${Date.now()}`;
    await cached(user, message);
    expect(await cached(user, message)).toBe(true);
    // The change that another process makes, without its notification.
    await query(database, 'UPDATE users SET cache_generation = cache_generation + 1 WHERE email = $1', [
      user.email,
    ]);
    await until('the old answer to be forgotten', async () => (await cached(user, message)) === false);
  });

  it('another account’s conversation is refused and clears nothing', async () => {
    const user = await registerUser(one.url);
    const other = await registerUser(one.url);
    const first = await user.request('POST', '/api/v1/chat', { message: 'mine', cache: true });
    const path = `/api/v1/conversations/${String(at(first.body, 'conversation_id'))}`;
    expect((await other.request('DELETE', path)).status).toBe(404);
    const rows = await query(
      database,
      'SELECT sum(cache_generation)::int AS n FROM users WHERE id = ANY($1)',
      [[await idOf(user), await idOf(other)]],
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('an account needs no SCAN either', async () => {
    // The first account of the database is the last admin and cannot be deleted.
    const user = await registerUser(one.url);
    await cached(user, 'soon gone');
    const commands = await commandsDuring(async () => {
      expect((await user.request('DELETE', '/api/v1/users/me')).status).toBe(204);
    });
    expect(commands).not.toContain('scan');
  });
});
