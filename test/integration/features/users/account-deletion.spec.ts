// Real components: the API on a socket, PostgreSQL, the file directory, and the protocol of a provider.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  OWNED_TABLES,
  STORED_FILE_TABLES,
} from '../../../../src/features/users/account-deletion.repository.js';
import { idOf, makeKey, registerAdmin } from '../../../support/accounts.js';
import { startApi, type TestApi } from '../../../support/api.js';
import { type ApiResponse, at, collect, registerUser, send, type TestUser } from '../../../support/client.js';
import { type FakeProvider, startFakeProvider } from '../../../support/fake-provider/fake-provider.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import { uploadedId } from '../../../support/files.js';
import { fillAccount, fillBatches, fillFiles, rowsOf } from '../../../support/fill-account.js';
import { recordDeletions } from '../../../support/recorded-deletions.js';
import { query, until } from '../../../support/stored.js';

const ME = '/api/v1/users/me';
const PASSWORD = 'a long password';

/**
 * Number of messages of the large account: DELETION_MESSAGES, a multiple of 200; 200,000 take an extra
 * minute.
 */
const MESSAGES = Number(process.env['DELETION_MESSAGES'] ?? 20_000);

/**
 * Maximum number of rows of a table that one statement of a deletion may delete, because each statement has a
 * timeout.
 */
const MOST_ROWS = 1_000;

let provider: FakeProvider;
let dataDir: string;
let api: TestApi;
let admin: TestUser;

beforeAll(async () => {
  provider = await startFakeProvider();
  dataDir = await mkdtemp(join(tmpdir(), 'parley-deletion-'));
  api = await startApi({
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    DATA_DIR: dataDir,
  });
  admin = await registerAdmin(api);
});

afterEach(() => {
  provider.reset();
});

afterAll(async () => {
  await api.close();
  await provider.close();
  await rm(dataDir, { recursive: true, force: true });
});

const authenticate = (path: 'login' | 'register', email: string): Promise<ApiResponse> =>
  send(`${api.url}/api/v1/auth/${path}`, { method: 'POST', body: { email, password: PASSWORD } });

const exists = async (userId: string): Promise<boolean> =>
  (await query(api.database, 'SELECT 1 FROM users WHERE id = $1', [userId])).length > 0;

describe('the deletion of an account', () => {
  it('empties every table that references accounts, so that its last statement cascades to nothing', async () => {
    const rows = await query(
      api.database,
      `SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE contype = 'f' AND confrelid = 'users'::regclass`,
    );
    const names = rows.map(({ name }) => String(name)).sort();
    expect(names).toEqual([...OWNED_TABLES, ...STORED_FILE_TABLES, 'messages'].sort());
  });

  it('of many files and messages, half of them in one conversation, succeeds without a statement that deletes many rows', async () => {
    const user = await registerUser(api.url);
    const userId = await idOf(user);
    await uploadedId(api.url, user);
    await fillAccount(api.database, userId, { conversations: 1, messages: MESSAGES / 2 });
    await fillAccount(api.database, userId, { conversations: 100, messages: MESSAGES / 200 });
    await fillFiles(api.database, userId, 2 * MOST_ROWS + 1);
    await fillBatches(api.database, userId, 2 * MOST_ROWS + 1);
    const filled = await rowsOf(api.database, userId);
    expect(filled['messages']).toBe(MESSAGES);
    for (const table of ['batch_items', 'files', 'file_contents', 'file_texts', 'file_pages', 'upload_keys'])
      expect(filled[table]).toBeGreaterThan(2 * MOST_ROWS);
    await recordDeletions(api.database);
    expect((await user.request('DELETE', ME)).status).toBe(204);
    expect((await user.request('GET', ME)).status).toBe(401);
    expect((await admin.request('GET', `/api/v1/users/${userId}`)).status).toBe(404);
    await until('the account to be gone', async () => !(await exists(userId)), 200_000);
    expect(await rowsOf(api.database, userId)).toEqual({});
    expect(existsSync(join(dataDir, 'files', userId))).toBe(false);
    expect(api.log.filter((line) => line.includes('could not delete an account'))).toEqual([]);
    const [most] = await query(
      api.database,
      "SELECT max(deleted)::int AS rows, sum(deleted) FILTER (WHERE name = 'messages')::int AS messages FROM deletions",
    );
    expect(most?.['messages']).toBe(MESSAGES);
    expect(most?.['rows']).toBeLessThanOrEqual(MOST_ROWS);
  }, 300_000);

  it('frees the email address immediately for a new account, which it does not affect', async () => {
    const user = await registerUser(api.url);
    const userId = await idOf(user);
    await fillAccount(api.database, userId, { conversations: 10, messages: 10 });
    const held = await holdBatches(userId);
    try {
      const [deleted, early] = await Promise.all([
        user.request('DELETE', ME),
        authenticate('register', user.email),
      ]);
      expect(deleted.status).toBe(204);
      // The address is taken until the deletion has been committed, and free from then on.
      expect([201, 409]).toContain(early.status);
      if (early.status === 409) expect((await authenticate('register', user.email)).status).toBe(201);
      expect(await exists(userId)).toBe(true);
    } finally {
      await held.release();
    }
    expect((await admin.request('DELETE', `/api/v1/users/${userId}`)).status).toBe(204);
    expect(await exists(userId)).toBe(false);
    expect((await authenticate('login', user.email)).status).toBe(200);
  });

  it('locks the account for everyone while it runs, and cannot be undone by an admin', async () => {
    const user = await registerUser(api.url);
    const userId = await idOf(user);
    const { program } = await makeKey(api, user);
    await fillAccount(api.database, userId, { conversations: 10, messages: 10 });
    const held = await holdBatches(userId);
    try {
      const deleting = user.request('DELETE', ME);
      expect((await deleting).status).toBe(204);
      expect(await exists(userId)).toBe(true);
      const login = await authenticate('login', user.email);
      expect([login.status, at(login.body, 'error', 'code')]).toEqual([401, 'invalid_credentials']);
      expect((await program.request('GET', '/api/v1/conversations')).status).toBe(401);
      expect((await user.request('POST', '/api/v1/chat', { message: 'still there?' })).status).toBe(401);
      const path = `/api/v1/users/${userId}`;
      expect((await admin.request('PATCH', path, { disabled: false })).status).toBe(404);
      const listed = await admin.request('GET', `/api/v1/users?q=${encodeURIComponent(user.email)}`);
      expect(at(listed.body, 'data')).toEqual([]);
    } finally {
      await held.release();
    }
    // A second request continues the deletion.
    expect((await admin.request('DELETE', `/api/v1/users/${userId}`)).status).toBe(204);
    expect(await exists(userId)).toBe(false);
    expect(await rowsOf(api.database, userId)).toEqual({});
    const log = await admin.request('GET', `/api/v1/audit-log?user_id=${userId}&limit=100`);
    expect(JSON.stringify(log.body).match(/user\.deleted/g)).toHaveLength(1);
  });

  it('stops a turn that began just before, and leaves no data of the turn', async () => {
    for (let round = 0; round < 5; round += 1) {
      const user = await registerUser(api.url);
      const userId = await idOf(user);
      const answer = gatedAnswer(['one ', 'two']);
      provider.script(answer);
      const events = collect(user.stream('/api/v1/chat/stream', { message: 'hello' })).catch(() => []);
      if (round % 2 === 0) await provider.nextRequest('chat');
      expect((await user.request('DELETE', ME)).status).toBe(204);
      answer.release(2);
      await events;
      await until('the account to be gone', async () => !(await exists(userId)));
      expect(await rowsOf(api.database, userId)).toEqual({});
      provider.reset();
    }
  });
});

/**
 * Prevents the batches of an account's deletion from starting, as another process that is deleting it does.
 */
async function holdBatches(userId: string): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: api.database.url });
  await client.connect();
  await client.query(`SELECT pg_advisory_lock(hashtextextended($1, 0))`, [`account deletion ${userId}`]);
  return { release: () => client.end() };
}
