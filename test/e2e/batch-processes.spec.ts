// Real components: the built API and two workers as separate processes, PostgreSQL, a Redis server of their own and the
// provider's protocol. Leases end by SQL instead of by waiting.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { at, registerUser, type TestUser } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { type FakeProvider, startFakeProvider } from '../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../support/fake-provider/gated-answer.js';
import { UNLIMITED } from '../support/limits.js';
import { BATCHES, readLines, submitBatch, untilEnded } from '../support/parley-batches.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { query, until } from '../support/stored.js';

if (!HAS_REDIS_SERVER)
  process.stderr.write('SKIPPED: batches of several processes: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('batches of several processes', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let database: TestDatabase;
  let provider: FakeProvider;
  let redis: RedisServer;
  let user: TestUser;
  let worker: ServerProcess;
  const servers: ServerProcess[] = [];

  beforeAll(async () => {
    dataDir = await makeDataDir();
    database = await createMigratedDatabase();
    provider = await startFakeProvider();
    redis = await RedisServer.reserve();
    await redis.start();
    const api = start({ WORKER: 'separate' });
    worker = start({}, 'worker.js');
    user = await registerUser(await api.ready);
    await worker.printed(/running jobs from Redis/);
  }, 150_000);

  afterEach(() => {
    provider.reset();
  });

  afterAll(async () => {
    await Promise.all(servers.map((server) => server.end('SIGKILL')));
    await redis.stop();
    await provider.close();
    await database.drop();
    await dataDir.remove();
  });

  function start(more: Readonly<Record<string, string>>, script?: string): ServerProcess {
    const server = startServer(
      {
        DATA_DIR: dataDir.path,
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        OPENAI_BASE_URL: provider.baseUrl,
        DEFAULT_MODEL: 'openai/test-model',
        LLM_MAX_RETRIES: '0',
        MODEL_CONTEXT_WINDOWS: '{"openai/*":1000000}',
        JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
        ENCRYPTION_KEY: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
        ...UNLIMITED,
        ...more,
      },
      script,
    );
    servers.push(server);
    return server;
  }

  /** Returns the texts of the requests that the provider has received, without those for its list of models. */
  const askedTexts = (): string[] =>
    provider.requests
      .filter(({ route }) => route === 'chat')
      .map(({ body }) => String(at(body, 'messages', 0, 'content')))
      .toSorted();

  /** Returns everything that Redis has, as text. */
  async function readRedis(client: Redis): Promise<string> {
    const values = (await client.keys('*')).map(async (key) => {
      switch (await client.type(key)) {
        case 'hash':
          return client.hgetall(key);
        case 'list':
          return client.lrange(key, 0, -1);
        case 'zset':
          return client.zrange(key, '0', '-1');
        case 'set':
          return client.smembers(key);
        case 'stream':
          return client.xrange(key, '-', '+');
        default:
          return client.get(key);
      }
    });
    return JSON.stringify(await Promise.all(values));
  }

  it('go on after Redis has lost its data while they run or wait, which had ids only', async () => {
    const client = new Redis(redis.url);
    const gate = gatedAnswer(['held']);
    provider.setDefault(gate);
    try {
      const texts = Array.from({ length: 30 }, (_, index) => `confidential ${String(index)}`);
      const running = await submitBatch(user, { texts, max_concurrency: 2 });
      await until('two requests', () => askedTexts().length === 2);
      await client.flushall();
      gate.finish();
      expect(at(await untilEnded(user, running), 'counts')).toMatchObject({ completed: 30, failed: 0 });
      expect(askedTexts()).toEqual(texts.toSorted());

      // Otherwise the worker would look for more after the end of that one.
      await until('no job', async () => !(await readRedis(client)).includes(running));
      worker.child.kill('SIGSTOP');
      const waiting = await submitBatch(user, { texts: ['confidential too'] });
      const content = await until('the job', async () => {
        const text = await readRedis(client);
        return text.includes(waiting) && text;
      });
      expect(content).not.toContain('confidential');
      await client.flushall();
      worker.child.kill('SIGCONT');
      expect(at(await untilEnded(user, waiting), 'counts')).toMatchObject({ completed: 1, failed: 0 });
    } finally {
      worker.child.kill('SIGCONT');
      client.disconnect();
    }
  });

  it('that a stopped process has are run by another, and its late result counts as usage only', async () => {
    const gate = gatedAnswer(['too late']);
    provider.script(gate);
    const id = await submitBatch(user, { texts: ['in time'] });
    await until('a call', () => askedTexts().length === 1);
    worker.child.kill('SIGSTOP');
    const other = start({}, 'worker.js');
    try {
      await other.printed(/running jobs from Redis/);
      // As after a minute.
      await query(
        database,
        `UPDATE batch_items SET lease_until = lease_until - interval '60 seconds' WHERE batch_id = $1`,
        [id],
      );
      expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 1, failed: 0 });
    } finally {
      worker.child.kill('SIGCONT');
    }
    gate.finish();
    const [sums] = await until('the usage of both calls', async () => {
      const rows = await query(
        database,
        `SELECT count(DISTINCT call_id)::int AS calls, sum(usage.output_tokens)::int AS ledger,
           min(batch.output_tokens)::int AS batch, min(item.output_tokens)::int AS item
         FROM batches batch JOIN batch_items item ON item.batch_id = batch.id
           JOIN usage_records usage ON usage.user_id = batch.user_id AND usage.created_at >= batch.created_at
         WHERE batch.id = $1`,
        [id],
      );
      return rows[0]?.['calls'] === 2 && rows;
    });
    expect(sums).toMatchObject({ batch: sums?.['ledger'], item: sums?.['ledger'] });
    expect((await readLines(user, id)).map((line) => at(line, 'text'))).toEqual(['in time']);
    expect(askedTexts()).toEqual(['in time', 'in time']);
  });

  it('finish at SIGTERM or are given back, and are run by another process without the loss of an attempt', async () => {
    const [finishing, hanging] = [gatedAnswer(['finished']), gatedAnswer(['never'])];
    provider.script(finishing, hanging);
    const other = servers.at(-1);
    if (other === undefined || other === worker) throw new Error('There is one worker only.');
    // So that both requests are those of the worker that stops.
    other.child.kill('SIGSTOP');
    const id = await submitBatch(user, { texts: ['one', 'two'] });
    await until('both calls', () => askedTexts().length === 2);
    other.child.kill('SIGCONT');
    worker.child.kill('SIGTERM');
    await worker.printed(/Stopping/);
    finishing.finish();
    await until('the result of the one', async () => {
      const { body } = await user.request('GET', `${BATCHES}/${id}`);
      return at(body, 'counts', 'completed') === 1;
    });
    expect(await worker.exited).toBe(0);
    expect(worker.output).not.toMatch(/took too long/);
    expect(at(await untilEnded(user, id), 'counts')).toMatchObject({ completed: 2, failed: 0 });
    expect(
      await query(database, 'SELECT DISTINCT attempts::int FROM batch_items WHERE batch_id = $1', [id]),
    ).toEqual([{ attempts: 1 }]);
    expect(askedTexts()).toHaveLength(3);
  });
});
