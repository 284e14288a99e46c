// Real components: PostgreSQL in another time zone, and the repositories of several processes over it.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../../../../../src/common/ids.js';
import type { ConversationTask, TaskEnd } from '../../../../../src/features/chat/model/conversation-task.js';
import {
  TaskRepository,
  type TaskAttempt,
  tasksJson,
} from '../../../../../src/features/chat/tasks/task.repository.js';
import { UsageRepository } from '../../../../../src/features/usage/index.js';
import { PrismaService } from '../../../../../src/infra/database/index.js';
import { findTaskRows, makeDue } from '../../../../support/conversation-tasks.js';
import { createMigratedDatabase, type TestDatabase } from '../../../../support/database.js';
import { expectSettled, query, type Row, stored } from '../../../../support/stored.js';

/** Rounds of a race. */
const ROUNDS = 15;

let database: TestDatabase;
let processes: PrismaService[];
let userId: string;
let conversationId: string;
let questionId: string;
let answerId: string;

beforeEach(async () => {
  database = await createMigratedDatabase();
  processes = [];
  [userId, conversationId, questionId, answerId] = [newId(), newId(), newId(), newId()];
  await query(
    database,
    `ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET timezone TO 'Asia/Tokyo'`,
  );
  await query(database, `INSERT INTO users (id, email, password_hash) VALUES ($1, 'a@example.com', '')`, [
    userId,
  ]);
  await query(
    database,
    `INSERT INTO conversations (id, user_id, title, next_position) VALUES ($1, $2, 'First words', 2)`,
    [conversationId, userId],
  );
  await query(
    database,
    `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
     VALUES ($1, $3, $4, NULL, 0, 'user', 'complete', 'Hello'), ($2, $3, $4, $1, 1, 'assistant', 'complete', 'Hi')`,
    [questionId, answerId, conversationId, userId],
  );
  await query(database, 'UPDATE conversations SET leaf_message_id = $2 WHERE id = $1', [
    conversationId,
    answerId,
  ]);
});

afterEach(async () => {
  for (const prisma of processes) await prisma.onApplicationShutdown();
  await database.drop();
});

function startProcess(): { readonly prisma: PrismaService; readonly tasks: TaskRepository } {
  const prisma = new PrismaService({ connectionString: database.url, poolMax: 5 });
  processes.push(prisma);
  return { prisma, tasks: new TaskRepository(prisma, new UsageRepository(prisma)) };
}

/** Makes a title due, as the end of a turn does, and returns the kinds of tasks written. */
async function write(messageId = answerId): Promise<string[]> {
  const { prisma } = startProcess();
  const [row] = await prisma.query<{ due: string[] }>('SELECT write_chores($1, $2) AS due', [
    conversationId,
    tasksJson([{ kind: 'title', messageId }]),
  ]);
  return row?.due ?? [];
}

/** Takes the task, which must be available. */
async function take({ tasks }: { readonly tasks: TaskRepository }): Promise<ConversationTask> {
  const task = await tasks.claimTask({ conversationId, kind: 'title' });
  if (task === undefined) throw new Error('No task could be claimed.');
  return task;
}

/** Returns the task with an expired lease: due again, and not yet taken by another process. */
async function expired(task: ConversationTask): Promise<ConversationTask> {
  const [row] = await query(
    database,
    `UPDATE chores SET due_at = now() - interval '1 second' WHERE conversation_id = $1 RETURNING due_at`,
    [conversationId],
  );
  const leaseUntil = row?.['due_at'];
  if (!(leaseUntil instanceof Date)) throw new Error('The task has no row.');
  return { ...task, leaseUntil };
}

/** An attempt that used seven tokens and found the given title, or none. */
function ended(title: string | undefined, end: TaskEnd = 'done'): TaskAttempt {
  const usage = { inputTokens: 4, outputTokens: 3, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
  return {
    callId: newId(),
    attempts: [
      {
        attempt: 1,
        provider: 'openai',
        model: 'm',
        outcome: 'completed',
        usage,
        costMicroUsd: 5n,
        estimated: false,
      },
    ],
    result: title === undefined ? undefined : { type: 'title', title, model: 'openai/m' },
    end,
  };
}

async function conversation(): Promise<Row | undefined> {
  const [row] = await query(
    database,
    'SELECT title, titled_by::text, tokens_total::int, cost_micro_usd::int FROM conversations WHERE id = $1',
    [conversationId],
  );
  return row;
}

describe('a conversation task', () => {
  it('is taken by exactly one of eight concurrent takers', async () => {
    const all = Array.from({ length: 4 }, startProcess);
    await write();
    for (let round = 1; round <= ROUNDS; round += 1) {
      const taken = await Promise.all(
        [...all, ...all].map(({ tasks }) => tasks.claimTask({ conversationId, kind: 'title' })),
      );
      expect(taken.filter((task) => task !== undefined)).toMatchObject([
        { messageId: answerId, attempts: round },
      ]);
      await makeDue({ database }, conversationId);
    }
  });

  it('is settled by the current lease holder only: an earlier holder’s usage is recorded and nothing else', async () => {
    const late = startProcess();
    const now = startProcess();
    await write();
    const first = await take(late);
    await makeDue({ database }, conversationId);
    const second = await take(now);
    expect(await late.tasks.endAttempt(first, ended('Too late'))).toBe(false);
    expect(await late.tasks.endAttempt(first, ended(undefined, { waitSeconds: 60, counted: true }))).toBe(
      false,
    );
    expect(await conversation()).toMatchObject({
      title: 'First words',
      titled_by: 'question',
      tokens_total: 14,
    });
    expect(await findTaskRows({ database }, conversationId)).toMatchObject([{ tries: 2, waits: true }]);
    expect(await now.tasks.endAttempt(second, ended('In time'))).toBe(true);
    expect(await conversation()).toEqual({
      title: 'In time',
      titled_by: 'model',
      tokens_total: 21,
      cost_micro_usd: 15,
    });
    expect(await findTaskRows({ database }, conversationId)).toEqual([]);
    expectSettled(await stored(database, conversationId));
  });

  it('is settled once if its expired lease is settled and taken at the same time, with all usage recorded', async () => {
    const [one, two] = [startProcess(), startProcess()];
    for (let round = 1; round <= ROUNDS; round += 1) {
      await write();
      const first = await expired(await take(one));
      const [settled, taken] = await Promise.all([
        one.tasks.endAttempt(first, ended(undefined)),
        two.tasks.claimTask({ conversationId, kind: 'title' }),
      ]);
      expect(taken === undefined).toBe(settled);
      if (taken !== undefined) expect(await two.tasks.endAttempt(taken, ended(undefined))).toBe(true);
      expect(await findTaskRows({ database }, conversationId)).toEqual([]);
      expectSettled(await stored(database, conversationId));
    }
  });

  it('is billed once if its result is written again after an unconfirmed commit', async () => {
    const one = startProcess();
    await write();
    const task = await take(one);
    const end = ended('A title');
    expect(await one.tasks.endAttempt(task, end)).toBe(true);
    expect(await one.tasks.endAttempt(task, end)).toBe(false);
    expect(await conversation()).toMatchObject({ title: 'A title', tokens_total: 7, cost_micro_usd: 5 });
    expectSettled(await stored(database, conversationId));
  });

  it('is due after its retry delay, and an uncounted attempt resets the count', async () => {
    const one = startProcess();
    await write();
    expect(
      await one.tasks.endAttempt(await take(one), ended(undefined, { waitSeconds: 60, counted: true })),
    ).toBe(true);
    expect(await one.tasks.claimTask({ conversationId, kind: 'title' })).toBeUndefined();
    expect(await one.tasks.listDueTasks(10)).toEqual([]);
    const [waiting] = await findTaskRows({ database }, conversationId);
    expect(waiting).toMatchObject({ tries: 1, waits: true });
    expect(Math.abs(60 - Number(waiting?.['seconds']))).toBeLessThan(10);
    await makeDue({ database }, conversationId);
    const end = ended(undefined, { waitSeconds: 0, counted: false });
    expect(await one.tasks.endAttempt(await take(one), end)).toBe(true);
    expect(await one.tasks.listDueTasks(10)).toEqual([{ conversationId, kind: 'title' }]);
    expect(await findTaskRows({ database }, conversationId)).toMatchObject([{ tries: 0, waits: false }]);
  });

  it('moves to a newer message until its first attempt begins', async () => {
    const one = startProcess();
    const other = newId();
    await query(
      database,
      `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content, active)
       VALUES ($1, $2, $3, $4, 2, 'assistant', 'complete', 'Hey', false)`,
      [other, conversationId, userId, questionId],
    );
    expect(await write()).toEqual(['title']);
    expect(await write(other)).toEqual(['title']);
    expect(await take(one)).toMatchObject({ messageId: other });
    expect(await write(answerId)).toEqual([]);
    expect(await findTaskRows({ database }, conversationId)).toMatchObject([{ message_id: other, tries: 1 }]);
  });

  it('cannot be taken while its account is disabled', async () => {
    const one = startProcess();
    await write();
    await query(database, 'UPDATE users SET disabled_at = now() WHERE id = $1', [userId]);
    expect(await one.tasks.listDueTasks(10)).toEqual([]);
    expect(await one.tasks.claimTask({ conversationId, kind: 'title' })).toBeUndefined();
  });

  it('is not created if there is already a title, or for a later answer', async () => {
    const [later, last] = [newId(), newId()];
    await query(
      database,
      `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
       VALUES ($1, $3, $4, $5, 2, 'user', 'complete', 'And?'), ($2, $3, $4, $1, 3, 'assistant', 'complete', 'So.')`,
      [later, last, conversationId, userId, answerId],
    );
    expect(await write(last)).toEqual([]);
    await query(database, `UPDATE conversations SET titled_by = 'user' WHERE id = $1`, [conversationId]);
    expect(await write(answerId)).toEqual([]);
  });
});
