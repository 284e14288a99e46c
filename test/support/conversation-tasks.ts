import { randomUUID } from 'node:crypto';
import { createPostgresBackend, Queue, setDefaultBackendFactory } from 'bullmq';
import { TASK_JOB } from '../../src/features/chat/tasks/task.jobs.js';
import { TASKS_QUEUE } from '../../src/features/chat/tasks/task.jobs.js';
import type { TestApi } from './api.js';
import type { TestDatabase } from './database.js';
import { redisKeyPrefix, testRedisUrl } from './redis.js';
import { query, type Row, until } from './stored.js';

/** Returns the tasks of a conversation. */
export function findTaskRows(
  { database }: Pick<TestApi, 'database'>,
  conversationId: unknown,
): Promise<Row[]> {
  return query(
    database,
    `SELECT kind::text, message_id, tries, due_at > now() AS waits, extract(epoch FROM due_at - now())::int AS seconds
     FROM chores WHERE conversation_id = $1`,
    [conversationId],
  );
}

/** Waits until a conversation has no task left. */
export async function untilTasksDone(api: Pick<TestApi, 'database'>, conversationId: unknown): Promise<void> {
  await until(`the tasks of ${String(conversationId)}`, async () => {
    return (await findTaskRows(api, conversationId)).length === 0;
  });
}

/** Waits until a task is waiting after an attempt, and returns its row. */
export async function untilWaiting(
  api: Pick<TestApi, 'database'>,
  conversationId: unknown,
  tries: number,
): Promise<Row> {
  return until(`a task of ${String(conversationId)} to wait for its next attempt`, async () => {
    const [task] = await findTaskRows(api, conversationId);
    // A running task is leased for two minutes, which no delay after an attempt comes close to.
    return task?.['tries'] === tries && task['waits'] === true && !isHeld(task) && task;
  });
}

function isHeld({ seconds }: Row): boolean {
  return Number(seconds) > 100 && Number(seconds) <= 120;
}

/** Makes a task due now, regardless of its delay. */
export async function makeDue(
  { database }: Pick<TestApi, 'database'>,
  conversationId: unknown,
): Promise<void> {
  await query(database, 'UPDATE chores SET due_at = now() WHERE conversation_id = $1', [conversationId]);
}

/**
 * Announces a task to the workers the given number of times at once, through the queue of this run's store.
 */
export async function deliver(
  { database }: Pick<TestApi, 'database'>,
  conversationId: unknown,
  kind: string,
  times = 1,
): Promise<void> {
  const queue = openQueue(TASKS_QUEUE, database);
  try {
    const data = { conversation_id: String(conversationId), kind };
    await queue.addBulk(
      Array.from({ length: times }, () => ({ name: TASK_JOB, data, opts: { jobId: randomUUID() } })),
    );
  } finally {
    await queue.close();
  }
}

/** Opens a queue of this run's store, and creates its tables if no server has yet. The caller closes it. */
export function openQueue(name: string, database: TestDatabase): Queue {
  if (testRedisUrl !== undefined) {
    return new Queue(name, { connection: { url: testRedisUrl }, prefix: `${redisKeyPrefix(database)}bull` });
  }
  // No server has chosen the backend yet if this queue is the first of the process.
  setDefaultBackendFactory(createPostgresBackend);
  return new Queue(name, { connection: { connectionString: database.url, migrate: true } });
}
