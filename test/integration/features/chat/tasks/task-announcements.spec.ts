// Real components: the API on a socket with its jobs, PostgreSQL, Redis if the run provides one, and the
// provider's protocol.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { TaskRunnerService } from '../../../../../src/features/chat/tasks/task-runner.service.js';
import { type TaskJob } from '../../../../../src/features/chat/tasks/task.jobs.js';
import { TASKS_QUEUE } from '../../../../../src/features/chat/tasks/task.jobs.js';
import { TaskQueue } from '../../../../../src/features/chat/tasks/task.queue.js';
import { ManagedQueue } from '../../../../../src/infra/queue/index.js';
import { asking, startApi, type TestApi } from '../../../../support/api.js';
import { makeDue, untilTasksDone } from '../../../../support/conversation-tasks.js';
import { at, registerUser, type TestUser } from '../../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { redisKeyPrefix, testRedisUrl } from '../../../../support/redis.js';
import { expectSettled, stored, until } from '../../../../support/stored.js';

/** Rounds of the race. */
const ROUNDS = 25;

let provider: FakeProvider;
let api: TestApi;
let user: TestUser;
let queue: ManagedQueue<TaskJob>;
let announcer: TaskQueue;

beforeAll(async () => {
  provider = await startFakeProvider();
  api = await startApi({
    ...asking(provider),
    TITLE_MODEL: 'openai/title-model',
  });
  user = await registerUser(api.url);
  // Created after the application, which sets the location of the queues for this process.
  queue = new ManagedQueue(TASKS_QUEUE, {
    ...(testRedisUrl === undefined
      ? { connection: { connectionString: api.database.url } }
      : { connection: { url: testRedisUrl }, prefix: `${redisKeyPrefix(api.database)}bull` }),
  });
  await queue.waitUntilReady();
  announcer = new TaskQueue(queue);
});

afterAll(async () => {
  await queue.close();
  await api.close();
  await provider.close();
});

async function say(): Promise<string> {
  const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'Why is the sky blue?' });
  expect(status).toBe(200);
  return String(at(body, 'conversation_id'));
}

describe('a task announced while the job of its previous announcement is still active', () => {
  // No sweep finds what was not announced.
  beforeEach(() => {
    jest.spyOn(TaskRunnerService.prototype, 'announceDueTasks').mockResolvedValue();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('runs as soon as that job ends, without waiting for the sweep', async () => {
    const gate = gatedAnswer(['Too late']);
    provider.script({ kind: 'answer' }, gate, { kind: 'answer', text: 'Blue sky' });
    const id = await say();
    await until('the request for a title', () => provider.requests[1]);
    // The lease of the first run expires before its answer arrives, so its result is rejected.
    await makeDue(api, id);
    await announce(id);
    gate.finish();
    await untilTasksDone(api, id);
    const { body } = await user.request('GET', `/api/v1/conversations/${id}`);
    expect(at(body, 'title')).toBe('Blue sky');
    expectSettled(await stored(api.database, id));
  });

  it('runs promptly however close its announcement is to the end of that job', async () => {
    provider.script({ kind: 'answer' }, { kind: 'answer', text: 'Blue sky' });
    const id = await say();
    await untilTasksDone(api, id);
    await connected(async (client) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        await makeDueAndAnnounce(client, id);
        // A little later each round: before the job begins, while it runs, as it ends, and after.
        await delay(round / 2);
        await makeDueAndAnnounce(client, id);
        await untilRowGone(client, id);
      }
    });
  });
});

/** Announces the title of a conversation and waits until the queue has the job. */
async function announce(conversationId: string): Promise<void> {
  const heard = jest.spyOn(queue, 'addBulk');
  announcer.announce([{ conversationId, kind: 'title' }]);
  await heard.mock.results[0]?.value;
  heard.mockRestore();
}

/** Makes a task due, whether or not a job holds its lease, and announces it. */
async function makeDueAndAnnounce(client: pg.Client, conversationId: string): Promise<void> {
  await client.query(
    `INSERT INTO chores (conversation_id, kind, user_id, message_id)
     SELECT id, 'title', user_id, leaf_message_id FROM conversations WHERE id = $1
     ON CONFLICT (conversation_id, kind) DO UPDATE SET due_at = now()`,
    [conversationId],
  );
  announcer.announce([{ conversationId, kind: 'title' }]);
}

async function untilRowGone(client: pg.Client, conversationId: string): Promise<void> {
  await until(`the end of the task of ${conversationId}`, async () => {
    const { rowCount } = await client.query('SELECT FROM chores WHERE conversation_id = $1', [
      conversationId,
    ]);
    return rowCount === 0;
  });
}

async function connected(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: api.database.url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
