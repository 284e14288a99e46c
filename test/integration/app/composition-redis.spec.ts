import { getQueueToken } from '@nestjs/bullmq';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type Queue, QueueEvents } from 'bullmq';
import { ApiModule } from '../../../src/app/api.module.js';
import { newId } from '../../../src/common/ids.js';
import { SWEEP_JOB, TURNS_QUEUE } from '../../../src/features/chat/recovery/recovery.queue.js';
import { WorkerModule } from '../../../src/app/worker.module.js';
import { startApi } from '../../support/api.js';
import { at, registerUser, send } from '../../support/client.js';
import { API_ONLY, compile, injectablesOf, JOBS, runtimeOver } from '../../support/composition.js';
import { createMigratedDatabase, type TestDatabase } from '../../support/database.js';
import { describeWithRedis, redisKeyPrefix, redisSettings } from '../../support/redis.js';
import { queryOnce } from '../../support/embedded-database.js';

// A separate file, because a process uses one kind of queue for its whole life: the one on PostgreSQL applies
// to the entire process.

describeWithRedis('with Redis', (redisUrl) => {
  const separate = { WORKER: 'separate' };

  let database: TestDatabase;

  beforeEach(async () => {
    database = await createMigratedDatabase();
  });

  afterEach(async () => {
    await database.drop();
  });

  it('an API with separate workers has no job classes', async () => {
    const names = await injectablesOf(
      ApiModule.forRoot(runtimeOver(database.url, { ...redisSettings(database), ...separate })),
    );
    expect(names).toEqual(expect.arrayContaining(API_ONLY));
    expect(names.filter((name) => JOBS.includes(name))).toEqual([]);
  });

  it('an API without separate workers has the job classes', async () => {
    const names = await injectablesOf(ApiModule.forRoot(runtimeOver(database.url, redisSettings(database))));
    expect(names).toEqual(expect.arrayContaining([...API_ONLY, ...JOBS]));
  });

  it('an API with separate workers serves requests', async () => {
    const api = await startApi(separate);
    try {
      const user = await registerUser(api.url);
      const { status, body } = await user.request('POST', '/api/v1/chat', { message: 'Hello' });
      expect(status).toBe(200);
      expect(at(body, 'model')).toBe('demo/echo');
      expect((await send(`${api.url}/health/ready`)).status).toBe(200);
    } finally {
      await api.close();
    }
  });

  it('a worker’s sweep marks the answer of a dead process as interrupted', async () => {
    const answerId = await abandonAnswer();
    const module = await compile(
      WorkerModule.forRoot(runtimeOver(database.url, { ...redisSettings(database), ...separate })),
    );
    const events = new QueueEvents(TURNS_QUEUE, {
      connection: { url: redisUrl },
      prefix: `${redisKeyPrefix(database)}bull`,
    });
    try {
      await module.init();
      await events.waitUntilReady();
      const queue = module.get<Queue>(getQueueToken(TURNS_QUEUE), { strict: false });
      expect((await queue.getJobSchedulers()).map(({ key, every }) => [key, every])).toEqual([
        [SWEEP_JOB, 15_000],
      ]);
      const job = await queue.add(SWEEP_JOB, {});
      expect(await job.waitUntilFinished(events, 20_000)).toEqual(expect.any(Number));
      expect(
        await queryOnce(
          database.url,
          `SELECT status::text, content, lease_owner, error_code FROM messages WHERE id = '${answerId}'`,
        ),
      ).toEqual({
        status: 'interrupted',
        content: 'Half an ans',
        lease_owner: null,
        error_code: 'interrupted',
      });
    } finally {
      await events.close();
      await module.close();
    }
  });

  /** Inserts the rows that a process killed a minute ago leaves. */
  async function abandonAnswer(): Promise<string> {
    const [user, conversation, question, answer] = [newId(), newId(), newId(), newId()];
    await queryOnce(
      database.url,
      `WITH u AS (INSERT INTO users (id, email, password_hash) VALUES ('${user}', 'a@example.com', '')),
            c AS (INSERT INTO conversations (id, user_id, title, next_position)
                  VALUES ('${conversation}', '${user}', 'Hello', 2))
       INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, model,
                             lease_owner, lease_until)
       VALUES ('${question}', '${conversation}', '${user}', NULL, 0, 'user', 'complete', 'Hello', NULL, NULL, NULL),
              ('${answer}', '${conversation}', '${user}', '${question}', 1, 'assistant', 'generating',
               'Half an ans', 'demo/echo', '${newId()}', now() - interval '1 minute')`,
    );
    return answer;
  }
});
