// Real components: the API on a socket, PostgreSQL, and the demo provider.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ConversationDeletionRepository } from '../../../../../src/features/chat/conversations/conversation-deletion.repository.js';
import { PrismaService } from '../../../../../src/infra/database/index.js';
import { idOf } from '../../../../support/accounts.js';
import { startApi, type TestApi } from '../../../../support/api.js';
import { at, listAt, registerUser, type TestUser } from '../../../../support/client.js';
import { fillAccount, rowsOf } from '../../../../support/fill-account.js';
import { recordDeletions } from '../../../../support/recorded-deletions.js';
import { query, until } from '../../../../support/stored.js';

/** Number of messages of a large conversation: DELETION_MESSAGES, an even number. */
const MESSAGES = Number(process.env['DELETION_MESSAGES'] ?? 20_000);

/** Maximum number of rows that one statement may delete or change, because each statement has a timeout. */
const MOST_ROWS = 1_000;

const PATH = '/api/v1/conversations';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
  await recordDeletions(api.database);
});

afterAll(async () => {
  await api.close();
});

/** Registers an account with one conversation of many messages, and returns both ids. */
async function withConversation(messages: number): Promise<{ user: TestUser; userId: string; id: string }> {
  const user = await registerUser(api.url);
  const userId = await idOf(user);
  await fillAccount(api.database, userId, { conversations: 1, messages });
  const [row] = await query(api.database, 'SELECT id FROM conversations WHERE user_id = $1', [userId]);
  return { user, userId, id: String(row?.['id']) };
}

describe('the deletion of a large conversation', () => {
  it('succeeds without a statement that deletes or changes many rows, and keeps the usage', async () => {
    const { user, userId, id } = await withConversation(MESSAGES);
    expect((await user.request('POST', `${PATH}/${id}/share`)).status).toBe(201);
    await until('the conversation to be deleted', async () => {
      const { status } = await user.request('DELETE', `${PATH}/${id}`);
      expect([204, 503]).toContain(status);
      return status === 204;
    });
    expect((await user.request('GET', `${PATH}/${id}`)).status).toBe(404);
    expect(await rowsOf(api.database, userId)).toEqual({ refresh_tokens: 1, usage_records: MESSAGES / 2 });
    const [usage] = await query(
      api.database,
      'SELECT count(conversation_id)::int AS n FROM usage_records WHERE user_id = $1',
      [userId],
    );
    expect(usage?.['n']).toBe(0);
    const [most] = await query(
      api.database,
      "SELECT max(deleted)::int AS rows, sum(deleted) FILTER (WHERE name = 'messages')::int AS messages FROM deletions",
    );
    expect(most).toEqual({ rows: MOST_ROWS, messages: MESSAGES });
  }, 300_000);

  it('continues where another process was killed, which left a conversation that can be used', async () => {
    const { user, userId, id } = await withConversation(3_500);
    const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 1 });
    const deletions = new ConversationDeletionRepository(prisma);
    // One part for the usage, and two for messages.
    for (let part = 0; part < 3; part += 1)
      expect(await deletions.deletePart(userId, id, MOST_ROWS)).toBe('more');
    await prisma.onApplicationShutdown();
    expect((await rowsOf(api.database, userId))['messages']).toBe(1_500);
    const turn = { message: 'hello', conversation_id: id };
    expect((await user.request('POST', '/api/v1/chat', turn)).status).toBe(200);
    const { body } = await user.request('GET', `${PATH}/${id}/messages?limit=100`);
    expect(listAt(body, 'data')).toHaveLength(100);
    const [first] = await query(
      api.database,
      `SELECT parent.position FROM messages JOIN messages parent ON parent.id = messages.parent_id
       WHERE messages.conversation_id = $1 AND messages.position = 1500`,
      [id],
    );
    expect(first).toEqual({ position: 1_499 });
    expect((await user.request('DELETE', `${PATH}/${id}`)).status).toBe(204);
    expect((await rowsOf(api.database, userId))['messages']).toBeUndefined();
  });

  it('responds after ten seconds that it goes on, and goes on, even if statements time out', async () => {
    const { user, userId, id } = await withConversation(1_500);
    const client = new pg.Client({ connectionString: api.database.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM messages WHERE conversation_id = $1 AND position = 1499 FOR UPDATE', [
        id,
      ]);
      const { status, body, headers } = await user.request('DELETE', `${PATH}/${id}`);
      expect([status, at(body, 'error', 'code')]).toEqual([503, 'service_unavailable']);
      expect(at(body, 'error', 'message')).toContain('its deletion goes on');
      expect(headers.get('retry-after')).toBe('2');
    } finally {
      await client.end();
    }
    await until('the conversation to be gone', async () => {
      return (await user.request('GET', `${PATH}/${id}`)).status === 404;
    });
    expect(await rowsOf(api.database, userId)).toEqual({ refresh_tokens: 1, usage_records: 750 });
  });
});

describe('a statement that takes too long', () => {
  it('is reported as such, and not as an unavailable database', async () => {
    const prisma = new PrismaService({ connectionString: api.database.url, poolMax: 1 });
    const slow = prisma.transaction(async (transaction) => {
      await transaction.$executeRaw`SET LOCAL statement_timeout = 50`;
      await transaction.$queryRaw`SELECT pg_sleep(5)::text`;
    });
    await expect(slow).rejects.toMatchObject({
      code: 'service_unavailable',
      message: 'The database did not complete the operation in time. Try again in a few seconds.',
      isStatementTimeout: true,
    });
    await prisma.onApplicationShutdown();
  });
});
