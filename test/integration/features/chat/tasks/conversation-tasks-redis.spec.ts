// Real components: the API on a socket, the built worker as separate processes, PostgreSQL, Redis, and the
// provider's protocol.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startApi, type TestApi } from '../../../../support/api.js';
import { findTaskRows, deliver, makeDue, untilTasksDone } from '../../../../support/conversation-tasks.js';
import { at, registerUser, type TestUser } from '../../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { describeWithRedis, redisSettings } from '../../../../support/redis.js';
import { type ServerProcess, startServer } from '../../../../support/server-process.js';
import { expectSettled, stored, until } from '../../../../support/stored.js';

// A separate file, because a process uses one kind of queue for its whole life.

describeWithRedis('conversation tasks in separate worker processes', () => {
  let provider: FakeProvider;
  let api: TestApi;
  let user: TestUser;
  let dataDir: string;
  const workers: ServerProcess[] = [];

  beforeAll(async () => {
    provider = await startFakeProvider();
    dataDir = await mkdtemp(join(tmpdir(), 'parley-worker-'));
    api = await startApi({ WORKER: 'separate', ...settings() });
    user = await registerUser(api.url);
  });

  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
    await api.close();
    await provider.close();
    await rm(dataDir, { recursive: true });
  });

  function settings(): Record<string, string> {
    return {
      OPENAI_BASE_URL: provider.baseUrl,
      DEFAULT_MODEL: 'openai/test-model',
      TITLE_MODEL: 'openai/title-model',
      LLM_MAX_RETRIES: '0',
    };
  }

  async function startWorker(): Promise<ServerProcess> {
    const environment = {
      NODE_ENV: 'test',
      DATABASE_URL: api.database.url,
      DATA_DIR: dataDir,
      ...settings(),
      ...redisSettings(api.database),
    };
    const worker = startServer(environment, 'worker.js');
    workers.push(worker);
    await worker.printed(/running jobs from Redis/);
    return worker;
  }

  async function say(): Promise<string> {
    const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'Why is the sky blue?' });
    expect(status).toBe(200);
    return String(at(body, 'conversation_id'));
  }

  const asked = () => provider.requests.filter(({ body }) => at(body, 'model') === 'title-model');
  const titleOf = async (id: string) =>
    at((await user.request('GET', `/api/v1/conversations/${id}`)).body, 'title');

  it('run once, are taken over by another worker if the first one is killed, and leave correct totals', async () => {
    const gate = gatedAnswer(['Never']);
    provider.script({ kind: 'answer' }, gate, { kind: 'answer', text: 'Blue sky' });
    const id = await say();
    // There is no worker yet: the task waits in its row and in Redis.
    expect(await findTaskRows(api, id)).toMatchObject([{ kind: 'title', tries: 0 }]);
    const first = await startWorker();
    const request = await until('the request for a title', () => asked()[0]);
    expect(await first.end('SIGKILL')).toBe('SIGKILL');
    expect((await request.closed).by).toBe('client');
    await startWorker();
    // The dead worker's lease would expire after two minutes, and its job would be redelivered within one.
    await makeDue(api, id);
    await deliver(api, id, 'title');
    await untilTasksDone(api, id);
    expect(await titleOf(id)).toBe('Blue sky');
    expect(asked()).toHaveLength(2);
    const conversation = await stored(api.database, id);
    // The request of a killed process is not in the ledger, like every call that no row owns.
    expect(conversation.usage.map(({ model }) => model)).toEqual(['test-model', 'title-model']);
    expectSettled(conversation);
  });

  it('are aborted when their worker receives SIGTERM, and run by the next worker at once', async () => {
    const gate = gatedAnswer(['Never']);
    provider.script({ kind: 'answer' }, gate);
    const running = workers.at(-1);
    const id = await say();
    const request = await until('the request for a title', () => asked()[2]);
    expect(await running?.end('SIGTERM')).toBe(0);
    expect((await request.closed).by).toBe('client');
    expect(await findTaskRows(api, id)).toMatchObject([{ kind: 'title', tries: 0, waits: false }]);
    provider.script({ kind: 'answer', text: 'After all' });
    await startWorker();
    await until('the next worker', async () => (await findTaskRows(api, id)).length === 0);
    await untilTasksDone(api, id);
    expect(await titleOf(id)).toBe('After all');
    const conversation = await stored(api.database, id);
    expect(conversation.usage.map(({ outcome }) => outcome)).toEqual(['completed', 'cancelled', 'completed']);
    expectSettled(conversation);
  });
});
