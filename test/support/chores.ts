import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { TASK_JOB } from '../../src/features/chat/tasks/task.jobs.js';
import { TASKS_QUEUE } from '../../src/features/chat/tasks/task.jobs.js';
import type { TestApi } from './api.js';
import { redisKeyPrefix, testRedisUrl } from './redis.js';
import { query, type Row, until } from './stored.js';

/** The chores of a conversation. */
export function choresOf({ database }: Pick<TestApi, 'database'>, conversationId: unknown): Promise<Row[]> {
  return query(
    database,
    `SELECT kind::text, message_id, tries, due_at > now() AS waits, extract(epoch FROM due_at - now())::int AS seconds
     FROM chores WHERE conversation_id = $1`,
    [conversationId],
  );
}

/** Waits until a conversation has no chore any more. */
export async function untilChoresDone(
  api: Pick<TestApi, 'database'>,
  conversationId: unknown,
): Promise<void> {
  await until(`the chores of ${String(conversationId)}`, async () => {
    return (await choresOf(api, conversationId)).length === 0;
  });
}

/** Waits until a chore waits after its try, and tells how it stands. */
export async function untilWaiting(
  api: Pick<TestApi, 'database'>,
  conversationId: unknown,
  tries: number,
): Promise<Row> {
  return until(`a chore of ${String(conversationId)} that waits`, async () => {
    const [chore] = await choresOf(api, conversationId);
    // While it is being done it is held for two minutes, which no wait after a try comes near.
    return chore?.['tries'] === tries && chore['waits'] === true && !isHeld(chore) && chore;
  });
}

function isHeld({ seconds }: Row): boolean {
  return Number(seconds) > 100 && Number(seconds) <= 120;
}

/** Makes a chore due now, whatever it waits for. */
export async function makeDue(
  { database }: Pick<TestApi, 'database'>,
  conversationId: unknown,
): Promise<void> {
  await query(database, 'UPDATE chores SET due_at = now() WHERE conversation_id = $1', [conversationId]);
}

/** Announces a chore to the workers so many times at once, through the queue of this run's store. */
export async function deliver(
  { database }: Pick<TestApi, 'database'>,
  conversationId: unknown,
  kind: string,
  times = 1,
): Promise<void> {
  const queue = new Queue(
    TASKS_QUEUE,
    testRedisUrl === undefined
      ? { connection: { connectionString: database.url } }
      : { connection: { url: testRedisUrl }, prefix: `${redisKeyPrefix(database)}bull` },
  );
  try {
    const data = { conversation_id: String(conversationId), kind };
    await queue.addBulk(
      Array.from({ length: times }, () => ({ name: TASK_JOB, data, opts: { jobId: randomUUID() } })),
    );
  } finally {
    await queue.close();
  }
}
