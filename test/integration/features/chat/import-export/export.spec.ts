// Real components: the API on a socket and PostgreSQL; imports write message trees, and SQL writes the long
// ones. Exports and imports are tested together, because the file of an export is the input of an import.
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../../../../src/common/ids.js';
import { idOf } from '../../../../support/accounts.js';
import { beginStream } from '../../../../support/answers.js';
import {
  at,
  type ApiResponse,
  listAt,
  registerUser,
  send,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { query, stored, until } from '../../../../support/stored.js';

const LIST = '/api/v1/conversations';
const IMPORT = `${LIST}/import`;

const provider = setUpProvider();
const api = setUpApi(() => ({
  OPENAI_BASE_URL: provider.baseUrl,
  DEFAULT_MODEL: 'demo/echo',
  MAX_UPLOAD_MB: '16',
}));

const TIME = '2026-11-21T08:00:00.123Z';

/** A minimal message of an export file. */
const message = (id: string, parent: string | null, more: object = {}): object => ({
  id,
  parent_id: parent,
  role: 'user',
  status: 'complete',
  content: `text of ${id}`,
  active: true,
  created_at: TIME,
  ...more,
});

const file = (messages: readonly object[], conversation: object = {}): object => ({
  version: 1,
  conversation: { title: 'A tree', ...conversation },
  messages,
});

/** A conversation with two roots, branches, tools, attachments and every status. */
const TREE = file(
  [
    message('a', null, { active: false }),
    message('b', null, { attachments: [{ name: 'plan "final".pdf', media_type: 'application/pdf' }] }),
    message('c', 'a', {
      role: 'assistant',
      active: false,
      model: 'demo/echo',
      finish_reason: 'stop',
      completed_at: TIME,
    }),
    message('d', 'b', {
      role: 'assistant',
      content: '',
      model: 'openai/gpt-5.5',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"天空"}' } },
      ],
    }),
    message('e', 'd', { role: 'tool', tool_call_id: 'call_1', content: '{"color":"blue"}' }),
    message('f', 'b', {
      role: 'assistant',
      active: false,
      status: 'failed',
      error: { code: 'overloaded', message: 'No.' },
    }),
    message('g', 'e', { role: 'assistant', status: 'interrupted', warning: 'cut', model: 'demo/echo' }),
  ],
  { title: 'Bầu trời\n天空 "quoted"', system_prompt: 'Be brief.', pinned: true },
);

async function importFile(user: TestUser, body: unknown): Promise<ApiResponse> {
  return user.request('POST', IMPORT, body);
}

async function imported(user: TestUser, body: unknown): Promise<string> {
  const answer = await importFile(user, body);
  expect({ status: answer.status, error: at(answer.body, 'error') }).toEqual({
    status: 201,
    error: undefined,
  });
  return String(at(answer.body, 'id'));
}

const exported = (user: TestUser, id: string, format = ''): Promise<ApiResponse> =>
  user.request('GET', `${LIST}/${id}/export${format === '' ? '' : `?format=${format}`}`);

/**
 * Normalizes a file for comparison with its import: replaces ids by indexes and clears the id and times of
 * the conversation.
 */
function comparable(body: unknown): object {
  const messages = listAt(body, 'messages');
  const places = new Map(messages.map((entry, place) => [at(entry, 'id'), place]));
  return {
    version: at(body, 'version'),
    conversation: { ...(Object(at(body, 'conversation')) as object), id: 0, created_at: 0, updated_at: 0 },
    messages: messages.map((entry) => ({
      ...(Object(entry) as object),
      id: places.get(at(entry, 'id')),
      parent_id: places.get(at(entry, 'parent_id')) ?? null,
    })),
  };
}

describe('an export', () => {
  it('as JSON contains all branches, and recreates the same conversation when imported', async () => {
    const [owner, other] = [await registerUser(api.url), await registerUser(api.url)];
    const id = await imported(owner, TREE);
    const first = await exported(owner, id);
    expect(first.status).toBe(200);
    expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(first.headers.get('content-disposition')).toBe(`attachment; filename="conversation-${id}.json"`);
    expect(comparable(first.body)).toMatchObject(comparable(TREE));
    const again = await imported(other, first.body);
    const second = await exported(other, again, 'json');
    expect(comparable(second.body)).toEqual(comparable(first.body));
    const known = new Set(listAt(first.body, 'messages').map((entry) => at(entry, 'id')));
    expect(listAt(second.body, 'messages').filter((entry) => known.has(at(entry, 'id')))).toEqual([]);
  });

  it('of a conversation contains its turns, and the imported copy can be continued', async () => {
    const user = await registerUser(api.url);
    const turn = await user.request('POST', '/api/v1/chat', { message: 'hello', system_prompt: 'Be brief.' });
    const id = String(at(turn.body, 'conversation_id'));
    const { body } = await exported(user, id);
    expect(body).toMatchObject({
      version: 1,
      conversation: { id, title: 'hello', system_prompt: 'Be brief.' },
      messages: [
        { role: 'user', content: 'hello', status: 'complete', active: true, parent_id: null },
        {
          id: at(turn.body, 'message_id'),
          role: 'assistant',
          content: at(turn.body, 'message'),
          model: 'demo/echo',
          finish_reason: 'stop',
          active: true,
        },
      ],
    });
    expect(JSON.stringify(body)).not.toMatch(/usage|cost|token/);
    const copy = await imported(user, body);
    const next = await user.request('POST', '/api/v1/chat', { message: 'more', conversation_id: copy });
    expect(next.status).toBe(200);
    expect((await stored(api.database, copy)).messages.map(({ position }) => position)).toEqual([0, 1, 2, 3]);
  });

  it('as Markdown contains the active path, with roles and models', async () => {
    const user = await registerUser(api.url);
    const id = await imported(user, TREE);
    const { status, headers, body } = await exported(user, id, 'markdown');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    expect(headers.get('content-disposition')).toBe(`attachment; filename="conversation-${id}.md"`);
    expect(body).toBe(
      `# Bầu trời 天空 "quoted"\n\n## User\n\ntext of b\n\n- plan "final".pdf\n\n## Assistant (openai/gpt-5.5)\n\n\n` +
        `\n## Tool\n\n{"color":"blue"}\n\n## Assistant (demo/echo)\n\ntext of g\n`,
    );
  });

  it('of another account’s conversation is answered like that of an unknown id', async () => {
    const [owner, stranger] = [await registerUser(api.url), await registerUser(api.url)];
    const id = await imported(owner, TREE);
    const unknown = randomUUID();
    for (const format of ['json', 'markdown']) {
      const [foreign, missing] = await Promise.all(
        [id, unknown].map((each) => exported(stranger, each, format)),
      );
      expect(foreign?.status).toBe(404);
      expect(JSON.stringify(at(foreign?.body, 'error')).replace(id, '')).toBe(
        JSON.stringify(at(missing?.body, 'error')).replace(unknown, ''),
      );
    }
    expect((await exported(owner, id, 'pdf')).status).toBe(400);
  });

  describe('of 10,000 messages', () => {
    let user: TestUser;
    let id: string;

    beforeAll(async () => {
      user = await registerUser(api.url);
      id = newId();
      const owner = await idOf(user);
      await query(api.database, 'ALTER TABLE messages DISABLE TRIGGER messages_words');
      await query(
        api.database,
        `INSERT INTO conversations (id, user_id, title, next_position) VALUES ($1, $2, 'long', 10000)`,
        [id, owner],
      );
      await query(
        api.database,
        `INSERT INTO messages (id, conversation_id, user_id, position, role, status, content)
         SELECT gen_random_uuid(), $1, $2, n, 'user', 'complete', n || repeat(' text', 1000) FROM generate_series(0, 9999) n`,
        [id, owner],
      );
      await query(
        api.database,
        `UPDATE messages m SET parent_id = p.id FROM messages p
         WHERE m.conversation_id = $1 AND p.conversation_id = $1 AND p.position = m.position - 1`,
        [id],
      );
    }, 120_000);

    /** Requests the export, reads nothing of it, and waits until no more database queries are made. */
    async function openAndWait() {
      const request = httpRequest(`${api.url}${LIST}/${id}/export`, {
        headers: { authorization: `Bearer ${user.token}` },
      });
      const begun = new Promise<IncomingMessage>((resolve) => request.once('response', resolve));
      request.end();
      const response = await begun;
      await until('the database to be left alone', async () => {
        const [row] = await query(
          api.database,
          `SELECT bool_and(state = 'idle' AND state_change < now() - interval '500 ms') AS idle FROM pg_stat_activity
           WHERE application_name = 'parley' AND datname = current_database()`,
        );
        return row?.['idle'] === true;
      });
      return { request, response };
    }

    it('is complete', async () => {
      const { body } = await exported(user, id);
      expect(listAt(body, 'messages').map((entry) => String(at(entry, 'content')).split(' ')[0])).toEqual(
        Array.from({ length: 10_000 }, (_, index) => String(index)),
      );
    });

    it('stops when its client disconnects', async () => {
      const { request } = await openAndWait();
      request.destroy();
      await until('the line of the request', () =>
        api.log.some((line) => line.includes(`${id}/export`) && line.includes('closed by the client')),
      );
    });

    it('is generated as it is read, and breaks off if the conversation is deleted meanwhile', async () => {
      const { response } = await openAndWait();
      await query(api.database, 'DELETE FROM conversations WHERE id = $1', [id]);
      let text = '';
      for await (const piece of response) text += String(piece);
      // Only the data that the buffers of two sockets hold had been generated before it was read.
      const made = text.split('"parent_id"').length - 1;
      expect(made).toBeGreaterThan(0);
      expect(made).toBeLessThan(5000);
      expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
      expect(text.slice(-300)).toContain('"not_found"');
    });
  });
});

describe('an import', () => {
  it('returns a conversation without usage, whose tokens are recounted', async () => {
    const user = await registerUser(api.url);
    const { status, body } = await importFile(user, file([message('x', null, { content: 'hello world' })]));
    expect(status).toBe(201);
    expect(body).toMatchObject({
      title: 'A tree',
      archived: false,
      pinned: false,
      system_prompt: null,
      tokens_used: 0,
      cost_estimate: 0,
    });
    const { conversation, messages, usage } = await stored(api.database, String(at(body, 'id')));
    expect(usage).toEqual([]);
    expect(conversation).toMatchObject({
      next_position: 1,
      leaf_message_id: messages[0]?.['id'],
      tokens_total: 0,
    });
    expect(messages).toMatchObject([
      { token_count: 2, input_tokens: null, cost_micro_usd: null, lease_until: null },
    ]);
  });

  it('marks an answer that was being generated as interrupted', async () => {
    const user = await registerUser(api.url);
    const gate = gatedAnswer(['half']);
    provider.script(gate);
    const { conversationId } = await beginStream(provider, user, { model: 'openai/test-model' });
    const whole = await exported(user, conversationId);
    expect(at(whole.body, 'messages', 1, 'status')).toBe('generating');
    gate.finish();
    const id = await imported(user, whole.body);
    expect((await stored(api.database, id)).messages[1]).toMatchObject({
      status: 'interrupted',
      error_code: 'interrupted',
      lease_until: null,
    });
  });

  it('accepts 10,000 messages, and other requests are answered meanwhile', async () => {
    const user = await registerUser(api.url);
    const messages = Array.from({ length: 10_000 }, (_, index) =>
      message(`m${index}`, index === 0 ? null : `m${index - 1}`, {
        content: `${index} ${'word '.repeat(100)}`,
      }),
    );
    const importing = importFile(user, file(messages));
    const ended = importing.then(() => 'ended' as const);
    // Compares order, not duration: many other requests are answered first.
    let answered = 0;
    const answer = () => send(`${api.url}/health/live`).then(() => 'answered' as const);
    while ((await Promise.race([ended, answer()])) === 'answered') answered += 1;
    const { status, body } = await importing;
    expect(status).toBe(201);
    expect(answered).toBeGreaterThan(20);
    const [row] = await query(
      api.database,
      'SELECT count(*)::int AS count, max(position) AS last FROM messages WHERE conversation_id = $1',
      [at(body, 'id')],
    );
    expect(row).toEqual({ count: 10_000, last: 9999 });
  }, 120_000);

  it.each<[string, unknown, string]>([
    ['no version', { conversation: { title: 'x' }, messages: [message('a', null)] }, 'version'],
    ['another version', { ...file([message('a', null)]), version: 2 }, 'version'],
    ['no messages', file([]), 'messages'],
    [
      'too many messages',
      file(Array.from({ length: 10_001 }, (_, index) => message(`${index}`, null))),
      'messages',
    ],
    ['no title', file([message('a', null)], { title: '' }), 'conversation.title'],
    ['a blank title', file([message('a', null)], { title: ' ' }), 'conversation.title'],
    ['an unknown field', file([message('a', null, { usage: {} })]), 'messages.0.usage'],
    [
      'an unsupported role',
      file([message('a', null), message('b', 'a', { role: 'system' })]),
      'messages.1.role',
    ],
    [
      'a text that is too long',
      file([message('a', null, { content: 'x'.repeat(1_000_001) })]),
      'messages.0.content',
    ],
    ['no text', file([message('a', null, { content: null })]), 'messages.0.content'],
    ['a duplicate id', file([message('a', null), message('a', 'a')]), 'messages.1.id'],
    ['an unknown parent', file([message('a', null), message('b', 'z')]), 'messages.1.parent_id'],
    ['a parent after its child', file([message('b', 'a'), message('a', null)]), 'messages.0.parent_id'],
    ['a message that is its own parent', file([message('a', 'a')]), 'messages.0.parent_id'],
    ['no active path', file([message('a', null, { active: false })]), 'messages'],
    [
      'a path with a gap',
      file([message('a', null, { active: false }), message('b', 'a')]),
      'messages.1.active',
    ],
    ['two paths', file([message('a', null), message('b', 'a'), message('c', 'a')]), 'messages.2.active'],
    ['two active roots', file([message('a', null), message('b', null)]), 'messages.1.active'],
    ['an invalid time', file([message('a', null, { created_at: 'today' })]), 'messages.0.created_at'],
    [
      'a time beyond four digits of a year',
      file([message('a', null, { created_at: '9999-12-31T23:59:59-23:59' })]),
      'messages.0.created_at',
    ],
    [
      'an invalid date',
      file([message('a', null, { created_at: '2026-13-41T00:00:00Z' })]),
      'messages.0.created_at',
    ],
    [
      'the year 0',
      file([message('a', null, { completed_at: '0000-01-01T00:00:00Z' })]),
      'messages.0.completed_at',
    ],
    [
      'an incomplete tool call',
      file([message('a', null, { tool_calls: [{ id: 'x' }] })]),
      'messages.0.tool_calls.0.type',
    ],
    ['NUL', JSON.stringify(file([message('a', null)])).replace('text of a', 'text\\u0000'), ''],
    ['malformed JSON', '{"version":1', ''],
  ])('with %s is refused, names the field, and stores nothing', async (_name, body, field) => {
    const user = await registerUser(api.url);
    const answer = await importFile(user, body);
    expect(answer.status).toBe(400);
    const details = at(answer.body, 'error', 'details');
    expect(Array.isArray(details) ? at(details, 0, 'field') : '').toBe(field);
    const rows = await query(api.database, 'SELECT 1 FROM conversations WHERE user_id = $1', [
      await idOf(user),
    ]);
    expect(rows).toEqual([]);
  });

  it('may be as large as an upload if authenticated', async () => {
    const user = await registerUser(api.url);
    const large = file(
      Array.from({ length: 8 }, (_, index) =>
        message(`${index}`, index === 0 ? null : `${index - 1}`, { content: 'x '.repeat(500_000) }),
      ),
    );
    const stranger = await send(`${api.url}${IMPORT}`, { method: 'POST', body: large }).catch(
      () => undefined,
    );
    if (stranger !== undefined) expect(stranger.status).toBe(401);
    expect((await importFile(user, large)).status).toBe(201);
    // Other routes still have their own limit.
    expect((await user.request('POST', '/api/v1/chat', { message: 'x'.repeat(2_000_000) })).status).toBe(413);
  });

  it('runs one at a time per account, and stores nothing if its client disconnects', async () => {
    const user = await registerUser(api.url);
    const large = file(
      Array.from({ length: 3_000 }, (_, index) =>
        message(`m${index}`, index === 0 ? null : `m${index - 1}`, {
          content: `${index} ${'word '.repeat(400)}`,
        }),
      ),
    );
    const leaving = new AbortController();
    const first = fetch(api.url + IMPORT, {
      method: 'POST',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(large),
      signal: leaving.signal,
    }).catch(() => undefined);
    await until('the import to be under way', async () => {
      const sql = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'
        AND application_name = 'parley' AND query LIKE '%INSERT INTO%messages%'`;
      return (await query(api.database, sql)).length > 0;
    });
    const refused = await importFile(user, file([message('a', null)]));
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate_limit_exceeded' } } });
    leaving.abort();
    await first;
    await until('another import to be let in', async () => {
      const { status } = await importFile(user, file([message('a', null)], { title: 'let in' }));
      return status === 201;
    });
    const titles = await query(
      api.database,
      `SELECT DISTINCT title FROM conversations WHERE user_id = (SELECT id FROM users WHERE email = $1)
         AND next_position > 1`,
      [user.email],
    );
    expect(titles).toEqual([]);
  }, 120_000);

  it('stores all messages or none', async () => {
    const user = await registerUser(api.url);
    await query(
      api.database,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted'; END $$`,
    );
    await query(
      api.database,
      `CREATE TRIGGER planted BEFORE INSERT ON messages FOR EACH ROW WHEN (NEW.content = 'planted') EXECUTE FUNCTION refuse()`,
    );
    const messages = Array.from({ length: 500 }, (_, index) =>
      message(`${index}`, index === 0 ? null : `${index - 1}`, index === 499 ? { content: 'planted' } : {}),
    );
    expect((await importFile(user, file(messages))).status).toBe(500);
    const rows = await query(api.database, 'SELECT 1 FROM messages WHERE user_id = $1', [await idOf(user)]);
    expect(rows).toEqual([]);
  });
});
