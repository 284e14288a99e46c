// Real components: the built API and worker as separate processes, PostgreSQL, and a separate Redis server.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { beginStream, nextEvent, rejoin, stop } from '../support/answers.js';
import { findTaskRows, untilTasksDone } from '../support/conversation-tasks.js';
import { at, collect, listAt, registerUser, send, type TestUser, userWith } from '../support/client.js';
import { makeDataDir } from '../support/data-dir.js';
import { createMigratedDatabase, type TestDatabase } from '../support/database.js';
import { type FakeProvider, startFakeProvider } from '../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../support/fake-provider/gated-answer.js';
import { COLLECTIONS, followDocument } from '../support/rag-documents.js';
import { HAS_REDIS_SERVER, RedisServer } from '../support/redis-server.js';
import { type ServerProcess, startServer } from '../support/server-process.js';
import { until } from '../support/stored.js';

if (!HAS_REDIS_SERVER)
  process.stderr.write('SKIPPED: Redis unavailable at the start: there is no redis-server\n');

(HAS_REDIS_SERVER ? describe : describe.skip)('a process whose Redis is unavailable', () => {
  let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
  let database: TestDatabase;
  let provider: FakeProvider;
  let redis: RedisServer;
  const servers: ServerProcess[] = [];

  beforeEach(async () => {
    dataDir = await makeDataDir();
    database = await createMigratedDatabase();
    provider = await startFakeProvider();
    redis = await RedisServer.reserve();
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.end('SIGKILL')));
    await redis.stop();
    await provider.close();
    await database.drop();
    await dataDir.remove();
  });

  function start(more: Readonly<Record<string, string>> = {}, script?: string): ServerProcess {
    const server = startServer(
      {
        DATA_DIR: dataDir.path,
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        OPENAI_BASE_URL: provider.baseUrl,
        DEFAULT_MODEL: 'openai/test-model',
        TITLE_MODEL: 'openai/title-model',
        LLM_MAX_RETRIES: '0',
        MODEL_CONTEXT_WINDOWS: '{"openai/*":1000000}',
        JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
        ...more,
      },
      script,
    );
    servers.push(server);
    return server;
  }

  async function say(user: TestUser): Promise<string> {
    const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'Why is the sky blue?' });
    expect(status).toBe(200);
    return String(at(body, 'conversation_id'));
  }

  async function expectEnd(server: ServerProcess): Promise<void> {
    expect(await server.end('SIGTERM')).toBe(0);
    expect(server.output).not.toMatch(/took too long/);
  }

  const linesAbout = ({ output }: ServerProcess, pattern: RegExp): string[] =>
    output.split('\n').filter((line) => pattern.test(line));

  it('at its start serves requests, reports it once, uses Redis once available, and stops after losing it again', async () => {
    const server = start();
    const url = await server.ready;
    expect((await send(`${url}/health`)).body).toMatchObject({ status: 'degraded', redis: 'unavailable' });
    expect((await send(`${url}/health/ready`)).status).toBe(200);
    const user = await registerUser(url);
    const id = await say(user);
    // The title task waits in its row.
    expect(await findTaskRows({ database }, id)).toMatchObject([{ kind: 'title', tries: 0 }]);
    expect(linesAbout(server, /Redis is unavailable/)).toHaveLength(1);
    expect(linesAbout(server, /\berror\b|ECONNREFUSED/i)).toHaveLength(1);
    expect(server.output).not.toContain('    at ');

    await redis.start();
    await server.printed(/Redis is available again/);
    await untilTasksDone({ database }, id);
    await until('a good health', async () => at((await send(`${url}/health`)).body, 'status') === 'ok');
    expect(at((await send(`${url}/health`)).body, 'redis')).toBe('ok');
    expect(linesAbout(server, /Redis is (unavailable|available again)/)).toHaveLength(2);

    await redis.stop();
    await until('the loss', () => linesAbout(server, /Redis is unavailable/).length === 2);
    await expectEnd(server);
    expect(server.output).not.toContain('    at ');
  });

  it('at its start shares jobs, limits, answers and stops with other processes once Redis is available', async () => {
    const settings = { RATE_LIMIT_CONCURRENCY: '1', WORKER: 'separate' };
    const urls = await Promise.all([start(settings).ready, start(settings).ready]);
    const [here, there] = urls.map((url) => ({ url, health: () => send(`${url}/health`) }));
    if (here === undefined || there === undefined) throw new Error('Two processes were started.');
    const user = await registerUser(here.url);
    const elsewhere = userWith(there.url, user.token);
    const id = await say(user);

    const [worker, endedEarly] = [start({}, 'worker.js'), start({}, 'worker.js')];
    await Promise.all([worker, endedEarly].map((waiting) => waiting.printed(/waiting for Redis/)));
    await expectEnd(endedEarly);
    await redis.start();
    await worker.printed(/running jobs from Redis/);
    await untilTasksDone({ database }, id);
    expect(linesAbout(worker, /waiting for Redis|Redis is (unavailable|available again)/)).toHaveLength(3);
    expect(worker.output).not.toContain('    at ');
    expect(await worker.end('SIGTERM')).toBe(0);

    for (const { health } of [here, there])
      await until('Redis', async () => at((await health()).body, 'redis') === 'ok');

    const gate = gatedAnswer(['one', ' two']);
    provider.script(gate);
    const { first, events, messageId } = await beginStream(provider, user);
    const ask = (): Promise<number> =>
      elsewhere.request('POST', '/api/v1/chat', { message: 'and I?' }).then(({ status }) => status);
    await until('a shared limit', async () => (await ask()) === 429);
    const follower = rejoin(there.url, elsewhere, messageId);
    expect(await nextEvent(follower)).toEqual(first);
    gate.release();
    const live = await nextEvent(events);
    expect(await nextEvent(follower)).toEqual(live);
    const client = new Redis(redis.url);
    try {
      expect((await client.keys(`*answer:${messageId}`)).length).toBe(1);
    } finally {
      client.disconnect();
    }
    expect((await stop(elsewhere, messageId)).status).toBe(200);
    const rest = await Array.fromAsync(events);
    expect(rest.map(({ data }) => at(data, 'finish_reason'))).toContain('stopped');
    expect(await Array.fromAsync(follower)).toEqual(rest);
    expect(await ask()).toBe(200);
  });

  it('at its start serves requests even if Redis accepts connections and never responds', async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const port = String(at(silent.address(), 'port'));
    try {
      const server = start({ REDIS_URL: `redis://127.0.0.1:${port}` });
      const url = await server.ready;
      await say(await registerUser(url));
      await server.printed(/Redis is unavailable/);
      expect(at((await send(`${url}/health`)).body, 'status')).toBe('degraded');
      expect((await send(`${url}/health/ready`)).status).toBe(200);
      expect(linesAbout(server, /Redis is unavailable/)).toHaveLength(1);
      expect(server.output).not.toContain('    at ');
      await expectEnd(server);
    } finally {
      silent.close();
    }
  });

  it('during an ingestion ends it without Redis, and once Redis is back that of a document added meanwhile', async () => {
    await redis.start();
    const server = start();
    const url = await server.ready;
    const user = await registerUser(url);
    await user.request('POST', COLLECTIONS, { name: 'notes', embedding_model: 'openai/embedder' });
    const add = async (text: string): Promise<string> => {
      const added = await user.request('POST', `${COLLECTIONS}/notes/documents`, { text });
      expect(added.status).toBe(202);
      return String(at(added.body, 'id'));
    };
    const lastState = async (id: string) => (await followDocument(url, user, 'notes', id)).at(-1);
    const asked = provider.nextRequest('embeddings');
    provider.scriptFor('embeddings', { kind: 'answer', delayBeforeMs: 1_000 });
    const running = await add('Tides are high.');
    await asked;
    await redis.stop();
    await server.printed(/Redis is unavailable/);
    const meanwhile = await add('Tides are low.');
    expect(await lastState(running)).toMatchObject({ status: 'ready', progress: 1 });
    await redis.start();
    expect(await lastState(meanwhile)).toMatchObject({ status: 'ready', progress: 1 });
    const { body } = await user.request('POST', '/api/v1/rag/search', {
      query: 'tides',
      collection: 'notes',
    });
    expect(listAt(body, 'data')).toHaveLength(2);
    expect(provider.requests.filter(({ route }) => route === 'embeddings')).toHaveLength(3);
  });

  it('stores a running answer as interrupted at the second signal, and stops after one signal or two', async () => {
    const server = start();
    const url = await server.ready;
    const user = await registerUser(url);
    const answer = gatedAnswer(['one ', 'two']);
    provider.script(answer);
    const asked = provider.nextRequest('chat');
    answer.release();
    const events = collect(user.stream('/api/v1/chat/stream', { message: 'Count' }));
    await asked;
    await until('the first words', async () => {
      const { body } = await user.request('GET', '/api/v1/conversations');
      return listAt(body, 'data').length > 0;
    });
    server.child.kill('SIGTERM');
    await server.printed(/Stopping/);
    expect(await server.end('SIGTERM')).toBe(0);
    expect(server.output).not.toMatch(/took too long/);
    const [first] = await events;

    const second = start();
    const again = userWith(await second.ready, user.token);
    const path = `/api/v1/conversations/${String(at(first, 'conversation_id'))}/messages`;
    const [, stored] = listAt((await again.request('GET', path)).body, 'data');
    expect(at(stored, 'status')).toBe('interrupted');
    await expectEnd(second);
  });
});
