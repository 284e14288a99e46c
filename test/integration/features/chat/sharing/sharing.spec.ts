// Real components: the API on a socket, PostgreSQL, and the provider's protocol; branches are made by SQL.
// Most cases change the conversation, its account or the link in some way and then read the same public path.
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { newId } from '../../../../../src/common/ids.js';
import { registerAdmin, idOf } from '../../../../support/accounts.js';
import { beginStream } from '../../../../support/answers.js';
import { startApi } from '../../../../support/api.js';
import {
  at,
  type ApiResponse,
  collect,
  listAt,
  registerUser,
  send,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { query, stored, until } from '../../../../support/stored.js';

const LIST = '/api/v1/conversations';

const provider = setUpProvider();
const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'demo/echo' }));

async function say(user: TestUser, message: string, more: object = {}): Promise<string> {
  const answer = await user.request('POST', '/api/v1/chat', { message, ...more });
  expect(answer.status).toBe(200);
  return String(at(answer.body, 'conversation_id'));
}

interface Shared {
  readonly id: string;
  readonly token: string;
  readonly path: string;
  readonly body: unknown;
}

async function share(user: TestUser, conversationId: string): Promise<Shared> {
  const { status, body } = await user.request('POST', `${LIST}/${conversationId}/share`);
  expect(status).toBe(201);
  return {
    id: String(at(body, 'id')),
    token: String(at(body, 'token')),
    path: String(at(body, 'path')),
    body,
  };
}

/** Requests a path without credentials. */
const open = (path: string): Promise<ApiResponse> => send(`${api.url}${path}`);

async function contents(path: string, parameters = ''): Promise<unknown[]> {
  const { status, body } = await open(`${path}/messages${parameters}`);
  expect(status).toBe(200);
  return listAt(body, 'data').map((entry) => at(entry, 'content'));
}

/** Moves the conversation to another branch at this position, so that the shared path is no longer active. */
async function branchOff(conversationId: string, position: number): Promise<void> {
  await query(api.database, `UPDATE messages SET active = position < $2 WHERE conversation_id = $1`, [
    conversationId,
    position,
  ]);
  const [row] = await query(
    api.database,
    `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
     SELECT $3, conversation_id, user_id, parent_id, (SELECT next_position FROM conversations WHERE id = $1), role, 'complete', 'another branch'
     FROM messages WHERE conversation_id = $1 AND position = $2 RETURNING id`,
    [conversationId, position, newId()],
  );
  await query(
    api.database,
    'UPDATE conversations SET leaf_message_id = $2, next_position = next_position + 1 WHERE id = $1',
    [conversationId, row?.['id']],
  );
}

describe('a share', () => {
  it('shows the conversation to everyone with its link, and nothing about its owner', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, 'hello', { system_prompt: 'A secret prompt.' });
    const { messages } = await stored(api.database, id);
    const { token, path, body } = await share(user, id);
    expect(body).toEqual({
      id: expect.any(String) as unknown,
      token: expect.stringMatching(/^[\w-]{43}$/) as unknown,
      path: `/api/v1/shared/${token}`,
      title: 'hello',
      message_id: messages[1]?.['id'],
      created_at: expect.stringMatching(/Z$/) as unknown,
    });
    const about = await open(path);
    expect([about.status, about.body]).toEqual([200, { title: 'hello', created_at: at(body, 'created_at') }]);
    const page = await open(`${path}/messages`);
    const created_at: unknown = expect.stringMatching(/Z$/);
    expect(page.body).toEqual({
      object: 'list',
      data: [
        { id: messages[0]?.['id'], role: 'user', content: 'hello', model: null, created_at },
        {
          id: messages[1]?.['id'],
          role: 'assistant',
          content: messages[1]?.['content'],
          model: 'demo/echo',
          created_at,
        },
      ],
      first_id: messages[0]?.['id'],
      last_id: messages[1]?.['id'],
      has_more: false,
    });
    for (const { headers } of [about, page]) {
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-robots-tag')).toBe('noindex');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
  });

  it('does not reveal its token in the database, the log or the list of shares', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, 'hello');
    const { token, path, body } = await share(user, id);
    await open(path);
    await open(`/api/v1/shared/${token}x`);
    const { token: _token, path: _path, ...shown } = Object(body) as Record<string, unknown>;
    const { body: list } = await user.request('GET', `${LIST}/${id}/shares`);
    expect(listAt(list, 'data')).toEqual([shown]);
    const rows = await query(
      api.database,
      'SELECT shares::text AS row, hash = sha256($1::bytea) AS hashed FROM shares',
      [Buffer.from(token)],
    );
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(rows.filter(({ hashed }) => hashed === true)).toHaveLength(1);
    expect(api.log.join('')).not.toContain(token);
    expect(api.log.join('')).toContain('/api/v1/shared/[redacted]');
  });

  it('shows the conversation as it was when shared, whatever happens to it later', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, 'one');
    await say(user, 'two', { conversation_id: id });
    const { path } = await share(user, id);
    const before = await contents(path);
    expect(before).toHaveLength(4);
    await say(user, 'three', { conversation_id: id });
    expect(await contents(path)).toEqual(before);
    await user.request('PATCH', `${LIST}/${id}`, { title: 'renamed', archived: true });
    expect(at((await open(path)).body, 'title')).toBe('one');
    for (const position of [3, 2, 0]) {
      await branchOff(id, position);
      expect({ position, is: await contents(path) }).toEqual({ position, is: before });
      expect(await contents(path, '?limit=2')).toEqual(before.slice(0, 2));
      const { body } = await open(`${path}/messages?limit=3`);
      expect(await contents(path, `?after=${String(at(body, 'last_id'))}`)).toEqual(before.slice(3));
    }
    const later = await share(user, id);
    expect(await contents(later.path)).toEqual(['another branch']);
  });

  it('is paged, oldest first, and omits empty messages', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, '0');
    for (const text of ['1', '2', '3', '4']) await say(user, text, { conversation_id: id });
    await query(
      api.database,
      `UPDATE messages SET content = '' WHERE conversation_id = $1 AND position = 3`,
      [id],
    );
    await query(
      api.database,
      `UPDATE messages SET content = '', tool_calls = '[{"id":"call_1"}]' WHERE conversation_id = $1 AND position = 5`,
      [id],
    );
    const { path } = await share(user, id);
    const all = (await stored(api.database, id)).messages
      .filter(({ position }) => position !== 3)
      .map((row) => row['id']);
    const pages: unknown[][] = [];
    for (let after = ''; ;) {
      const { body } = await open(`${path}/messages?limit=4${after}`);
      pages.push(listAt(body, 'data').map((entry) => at(entry, 'id')));
      if (at(body, 'has_more') === false) break;
      after = `&after=${String(at(body, 'last_id'))}`;
    }
    expect(pages).toEqual([all.slice(0, 4), all.slice(4, 8), all.slice(8)]);
    expect(at((await open(`${path}/messages`)).body, 'data', 4, 'tool_calls')).toEqual([{ id: 'call_1' }]);
    expect((await open(`${path}/messages?after=${randomUUID()}`)).status).toBe(404);
  });

  it('that is revoked, deleted or unknown is answered with the same 404', async () => {
    const user = await registerUser(api.url);
    const [kept, deleted] = [await say(user, 'kept'), await say(user, 'deleted')];
    const [revoked, gone, stays] = [
      await share(user, kept),
      await share(user, deleted),
      await share(user, kept),
    ];
    expect((await open(revoked.path)).status).toBe(200);
    const revoking = await user.request('DELETE', `${LIST}/${kept}/shares/${revoked.id}`);
    expect([revoking.status, revoking.body]).toEqual([204, '']);
    expect((await user.request('DELETE', `${LIST}/${kept}/shares/${revoked.id}`)).status).toBe(404);
    expect((await user.request('DELETE', `${LIST}/${deleted}`)).status).toBe(204);
    const unknown = `/api/v1/shared/${randomBytes(32).toString('base64url')}`;
    for (const suffix of ['', '/messages']) {
      const answers = await Promise.all(
        [revoked.path, gone.path, unknown].map((path) => open(path + suffix)),
      );
      const described = answers.map(({ status, body, headers }) => [
        status,
        at(body, 'error'),
        headers.get('cache-control'),
        headers.get('x-robots-tag'),
      ]);
      expect(described[0]).toEqual([
        404,
        expect.objectContaining({ code: 'not_found' }),
        'no-store',
        'noindex',
      ]);
      expect(described).toEqual([described[0], described[0], described[0]]);
    }
    expect((await open(stays.path)).status).toBe(200);
    const { body } = await user.request('GET', `${LIST}/${kept}/shares`);
    expect(listAt(body, 'data').map((entry) => at(entry, 'id'))).toEqual([stays.id]);
  });

  it('is deleted with its account', async () => {
    const admin = await registerAdmin(api);
    const user = await registerUser(api.url);
    const { path } = await share(user, await say(user, 'hello'));
    expect((await admin.request('DELETE', `/api/v1/users/${await idOf(user)}`)).status).toBe(204);
    expect((await open(path)).status).toBe(404);
  });

  it('can be created, listed and revoked by its owner only', async () => {
    const [owner, stranger] = [await registerUser(api.url), await registerUser(api.url)];
    const id = await say(owner, 'hello');
    const made = await share(owner, id);
    const own = await say(stranger, 'mine');
    for (const [method, path] of [
      ['POST', `${LIST}/${id}/share`],
      ['GET', `${LIST}/${id}/shares`],
      ['DELETE', `${LIST}/${id}/shares/${made.id}`],
      ['DELETE', `${LIST}/${own}/shares/${made.id}`],
    ] as const) {
      expect((await stranger.request(method, path)).status).toBe(404);
    }
    expect((await open(made.path)).status).toBe(200);
  });

  it('is refused while an answer is generated, and for an empty conversation', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['one']);
    provider.script(gate);
    const { conversationId, messageId, events } = await beginStream(provider, user, {
      model: 'openai/test-model',
    });
    const refused = await user.request('POST', `${LIST}/${conversationId}/share`);
    expect([refused.status, at(refused.body, 'error', 'code')]).toEqual([409, 'conversation_busy']);
    expect(at(refused.body, 'error', 'message')).toContain(messageId);
    gate.finish();
    await collect(events);
    await share(user, conversationId);
    const empty = newId();
    await query(api.database, `INSERT INTO conversations (id, user_id, title) VALUES ($1, $2, 'empty')`, [
      empty,
      await idOf(user),
    ]);
    expect((await user.request('POST', `${LIST}/${empty}/share`)).status).toBe(400);
  });

  it('that races a turn never includes an unfinished answer', async () => {
    const user = await registerUser(api.url);
    for (let round = 0; round < 12; round += 1) {
      const id = await say(user, 'before');
      const [made] = await Promise.all([
        user.request('POST', `${LIST}/${id}/share`),
        say(user, 'meanwhile', { conversation_id: id }),
      ]);
      if (made.status === 409) continue;
      expect(made.status).toBe(201);
      const shown = await contents(String(at(made.body, 'path')));
      // The state before the turn or after it, never in between.
      expect([2, 4]).toContain(shown.length);
    }
  });

  it('waits for a turn that is about to begin', async () => {
    const user = await registerUser(api.url);
    const id = await say(user, 'before');
    const client = new pg.Client({ connectionString: api.database.url });
    await client.connect();
    try {
      // Takes the lock that a turn takes first, and then stores the messages of the turn.
      await client.query('BEGIN');
      await client.query('UPDATE conversations SET next_position = next_position + 1 WHERE id = $1', [id]);
      const sharing = user.request('POST', `${LIST}/${id}/share`);
      await until('the share to wait', async () => {
        const waiting = await query(
          api.database,
          `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
        );
        return waiting.length >= 1;
      });
      await client.query(
        `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
         SELECT $2, id, user_id, leaf_message_id, next_position - 1, 'assistant', 'generating', 'half' FROM conversations WHERE id = $1`,
        [id, newId()],
      );
      await client.query('COMMIT');
      expect((await sharing).status).toBe(409);
    } finally {
      await client.end();
    }
  });

  it('is rate limited by client address', async () => {
    const limited = await startApi({ RATE_LIMIT_IP_RPM: '4' }, api.database);
    try {
      const statuses: number[] = [];
      for (let count = 0; count < 6; count += 1)
        statuses.push(
          (await send(`${limited.url}/api/v1/shared/${randomBytes(32).toString('base64url')}`)).status,
        );
      expect(statuses).toEqual([404, 404, 404, 404, 429, 429]);
    } finally {
      await limited.close();
    }
  });

  it.each([
    ['GET', `${LIST}/not-an-id/shares`],
    ['POST', `${LIST}/not-an-id/share`],
    ['DELETE', `${LIST}/${randomUUID()}/shares/not-an-id`],
    ['GET', `/api/v1/shared/${'x'.repeat(201)}`],
    ['GET', '/api/v1/shared/x/messages?after=y'],
  ])('refuses a malformed %s %s', async (method, path) => {
    const user = await registerUser(api.url);
    expect((await user.request(method, path)).status).toBe(400);
  });
});
