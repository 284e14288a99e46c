// Real components: the API on a socket and PostgreSQL; the demo model generates the answers. The lists of
// conversations and of messages share their checks of pages; ownership and deletion use the same server.
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  at,
  listAt,
  registerUser,
  send,
  type ApiResponse,
  type TestUser,
} from '../../../../support/client.js';
import { setUpApi } from '../../../../support/set-up.js';
import { query, stored } from '../../../../support/stored.js';

const LIST = '/api/v1/conversations';

/** An id that does not exist. */
const UNKNOWN = '01999999-9999-7999-8999-999999999999';

const api = setUpApi({ DEFAULT_MODEL: 'demo/echo' });

/** Runs a turn and returns its response. */
async function say(user: TestUser, message: string, more: object = {}): Promise<ApiResponse> {
  const answer = await user.request('POST', '/api/v1/chat', { message, ...more });
  expect(answer.status).toBe(200);
  return answer;
}

async function beginConversation(user: TestUser, message = 'hello'): Promise<string> {
  return String(at((await say(user, message)).body, 'conversation_id'));
}

/** Starts conversations one after the other and returns their ids, newest first. */
async function beginConversations(user: TestUser, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) ids.unshift(await beginConversation(user));
  return ids;
}

async function page(user: TestUser, path: string): Promise<unknown> {
  const { status, body } = await user.request('GET', path);
  expect(status).toBe(200);
  return body;
}

function idsOf(body: unknown): unknown[] {
  return listAt(body, 'data').map((entry) => at(entry, 'id'));
}

/** The expected page of these ids. */
function pageOf(ids: readonly unknown[], hasMore: boolean): object {
  return {
    object: 'list',
    data: ids.map((id) => expect.objectContaining({ id }) as unknown),
    first_id: ids[0] ?? null,
    last_id: ids.at(-1) ?? null,
    has_more: hasMore,
  };
}

/** Reads the whole list page by page, as a client does. */
async function readAll(user: TestUser, path: string, limit: number): Promise<unknown[][]> {
  const pages: unknown[][] = [];
  let after = '';
  for (;;) {
    const body = await page(user, `${path}?limit=${limit}${after}`);
    pages.push(idsOf(body));
    if (at(body, 'has_more') === false) return pages;
    after = `&after=${String(at(body, 'last_id'))}`;
  }
}

describe('the list of conversations', () => {
  let user: TestUser;
  let ids: string[];

  beforeAll(async () => {
    user = await registerUser(api.url);
    ids = await beginConversations(user, 45);
  });

  it('is sorted newest first, with twenty entries per page by default', async () => {
    expect(await page(user, LIST)).toEqual(pageOf(ids.slice(0, 20), true));
    expect(await page(user, `${LIST}?after=${String(ids[19])}`)).toEqual(pageOf(ids.slice(20, 40), true));
    expect(await page(user, `${LIST}?after=${String(ids[39])}`)).toEqual(pageOf(ids.slice(40), false));
  });

  it.each([
    [1, 45],
    [15, 3],
    [44, 2],
    [45, 1],
    [100, 1],
  ])('is complete and free of duplicates in pages of %d', async (limit, count) => {
    const pages = await readAll(user, LIST, limit);
    expect(pages.flat()).toEqual(ids);
    expect(pages).toHaveLength(count);
  });

  it('ends with an empty page after its last entry', async () => {
    expect(await page(user, `${LIST}?after=${String(ids[44])}`)).toEqual(pageOf([], false));
  });

  it('stays consistent for a reader when conversations are added and deleted', async () => {
    const reader = await registerUser(api.url);
    const before = await beginConversations(reader, 6);
    const first = await page(reader, `${LIST}?limit=3`);
    const added = await beginConversation(reader);
    // Even the conversation that serves as cursor can be deleted.
    const cursor = String(at(first, 'last_id'));
    expect((await reader.request('DELETE', `${LIST}/${cursor}`)).status).toBe(204);
    const second = await page(reader, `${LIST}?limit=3&after=${cursor}`);
    expect([...idsOf(first), ...idsOf(second)]).toEqual(before);
    expect(at(second, 'has_more')).toBe(false);
    expect(idsOf(await page(reader, LIST))).toEqual([added, ...before.filter((id) => id !== cursor)]);
  });

  it('is empty for a new account, and never includes another account’s conversations', async () => {
    const other = await registerUser(api.url);
    expect(await page(other, LIST)).toEqual(pageOf([], false));
    const own = await beginConversation(other);
    // Another account's conversation as cursor is only a point in time, and reveals nothing.
    const newer = await beginConversation(user);
    expect(await page(other, `${LIST}?after=${newer}`)).toEqual(pageOf([own], false));
    expect(await page(other, `${LIST}?after=${String(ids[44])}`)).toEqual(pageOf([], false));
    await user.request('DELETE', `${LIST}/${newer}`);
  });
});

describe('a conversation', () => {
  it('is returned with its title, prompt, totals and timestamps, and nothing else', async () => {
    const user = await registerUser(api.url);
    const long = `  What \n is ${'very '.repeat(30)}long?  `;
    const first = await say(user, long, { system_prompt: 'Be brief.' });
    const id = String(at(first.body, 'conversation_id'));
    const begun = await page(user, `${LIST}/${id}`);
    expect(begun).toEqual({
      id,
      title: expect.stringMatching(/^What is (very )+v?e?r?y?…$/) as unknown,
      archived: false,
      pinned: false,
      system_prompt: 'Be brief.',
      compaction: 'none',
      summary: null,
      active_message_id: at(first.body, 'message_id'),
      tokens_used: at(first.body, 'tokens_used'),
      cost_estimate: 0,
      unpriced_attempts: 0,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
      updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
    });
    expect(String(at(begun, 'title')).length).toBeLessThanOrEqual(80);
    const second = await say(user, 'and now?', { conversation_id: id });
    const after = await page(user, `${LIST}/${id}`);
    expect(at(after, 'tokens_used')).toBe(
      Number(at(first.body, 'tokens_used')) + Number(at(second.body, 'tokens_used')),
    );
    expect(Date.parse(String(at(after, 'updated_at')))).toBeGreaterThan(
      Date.parse(String(at(begun, 'updated_at'))),
    );
    expect(at(after, 'created_at')).toBe(at(begun, 'created_at'));
    expect(at(after, 'title')).toBe(at(begun, 'title'));
  });
});

describe('the messages of a conversation', () => {
  let user: TestUser;
  let path: string;
  let conversationId: string;
  let ids: unknown[];

  beforeAll(async () => {
    user = await registerUser(api.url);
    conversationId = await beginConversation(user, 'question 0');
    for (let index = 1; index < 23; index += 1) {
      await say(user, `question ${index}`, { conversation_id: conversationId });
    }
    path = `${LIST}/${conversationId}/messages`;
    ids = (await stored(api.database, conversationId)).messages.map(({ id }) => id);
    expect(ids).toHaveLength(46);
  });

  it('are sorted oldest first, question and answer in turn, each after its parent', async () => {
    const messages = listAt(await page(user, `${path}?limit=100`), 'data');
    expect(messages.map((message) => at(message, 'id'))).toEqual(ids);
    expect(messages.map((message) => at(message, 'parent_id'))).toEqual([null, ...ids.slice(0, -1)]);
    expect(messages.slice(0, 2)).toEqual([
      {
        id: ids[0],
        role: 'user',
        content: 'question 0',
        status: 'complete',
        parent_id: null,
        active: true,
        previous_sibling_id: null,
        next_sibling_id: null,
        model: null,
        usage: null,
        cost_estimate: null,
        finish_reason: null,
        attachments: [],
        created_at: expect.stringMatching(/Z$/) as unknown,
      },
      {
        id: ids[1],
        role: 'assistant',
        content: expect.stringMatching(/question 0$/) as unknown,
        status: 'complete',
        parent_id: ids[0],
        active: true,
        previous_sibling_id: null,
        next_sibling_id: null,
        model: 'demo/echo',
        usage: {
          prompt_tokens: 2,
          completion_tokens: expect.any(Number) as unknown,
          total_tokens: expect.any(Number) as unknown,
        },
        cost_estimate: 0,
        finish_reason: 'stop',
        attachments: [],
        created_at: expect.stringMatching(/Z$/) as unknown,
      },
    ]);
  });

  it.each([
    [1, 46],
    [20, 3],
    [23, 2],
    [45, 2],
    [46, 1],
  ])('are complete and free of duplicates in pages of %d', async (limit, count) => {
    const pages = await readAll(user, path, limit);
    expect(pages.flat()).toEqual(ids);
    expect(pages).toHaveLength(count);
  });

  it('come in pages of twenty by default, with an empty page after the last one', async () => {
    expect(await page(user, path)).toEqual(pageOf(ids.slice(0, 20), true));
    expect(await page(user, `${path}?after=${String(ids[25])}`)).toEqual(pageOf(ids.slice(26), false));
    expect(await page(user, `${path}?after=${String(ids[45])}`)).toEqual(pageOf([], false));
  });

  it('are appended at the end, also for a reader in the middle of the list', async () => {
    const reader = await registerUser(api.url);
    const id = await beginConversation(reader, 'one');
    await say(reader, 'two', { conversation_id: id });
    const first = await page(reader, `${LIST}/${id}/messages?limit=3`);
    await say(reader, 'three', { conversation_id: id });
    const rest = await page(reader, `${LIST}/${id}/messages?limit=3&after=${String(at(first, 'last_id'))}`);
    const all = (await stored(api.database, id)).messages.map((message) => message['id']);
    expect([...idsOf(first), ...idsOf(rest)]).toEqual(all);
    expect(at(rest, 'has_more')).toBe(false);
  });
});

describe('a resource of another account', () => {
  let owner: TestUser;
  let stranger: TestUser;
  let foreign: string;
  let foreignMessage: string;
  let own: string;

  beforeAll(async () => {
    owner = await registerUser(api.url);
    stranger = await registerUser(api.url);
    const answer = await say(owner, 'a secret');
    foreign = String(at(answer.body, 'conversation_id'));
    foreignMessage = String(at(answer.body, 'message_id'));
    own = await beginConversation(stranger);
  });

  it.each<[string, () => string, (id: string) => [string, string, unknown?]]>([
    ['reading a conversation', () => foreign, (id) => ['GET', `${LIST}/${id}`]],
    ['reading the messages of a conversation', () => foreign, (id) => ['GET', `${LIST}/${id}/messages`]],
    ['deleting a conversation', () => foreign, (id) => ['DELETE', `${LIST}/${id}`]],
    [
      'running a turn in a conversation',
      () => foreign,
      (id) => ['POST', '/api/v1/chat', { message: 'hi', conversation_id: id }],
    ],
    [
      'streaming a turn in a conversation',
      () => foreign,
      (id) => ['POST', '/api/v1/chat/stream', { message: 'hi', conversation_id: id, system_prompt: 'x' }],
    ],
    [
      'using a message as cursor',
      () => foreignMessage,
      (id) => ['GET', `${LIST}/${own}/messages?after=${id}`],
    ],
    ['using a conversation as cursor', () => foreign, (id) => ['GET', `${LIST}/${own}/messages?after=${id}`]],
  ])('is indistinguishable from an unknown id when %s', async (_name, idOf, requestOf) => {
    const before = await stored(api.database, foreign);
    const answers = await Promise.all([idOf(), UNKNOWN].map((id) => stranger.request(...requestOf(id))));
    const [toForeign, toUnknown] = answers.map(({ status, body }, index) => ({
      status,
      error: JSON.stringify(at(body, 'error')).replaceAll(index === 0 ? idOf() : UNKNOWN, '<id>'),
    }));
    expect(toForeign).toMatchObject({
      status: 404,
      error: expect.stringContaining('"not_found"') as unknown,
    });
    expect(toForeign).toEqual(toUnknown);
    expect(await stored(api.database, foreign)).toEqual(before);
  });

  it('cannot be used as cursor, and neither can a message of another own conversation', async () => {
    const other = await say(stranger, 'another');
    const { status } = await stranger.request(
      'GET',
      `${LIST}/${own}/messages?after=${String(at(other.body, 'message_id'))}`,
    );
    expect(status).toBe(404);
  });

  it.each([
    ['GET', LIST],
    ['GET', `${LIST}/${UNKNOWN}`],
    ['GET', `${LIST}/${UNKNOWN}/messages`],
    ['DELETE', `${LIST}/${UNKNOWN}`],
  ])('requires authentication: %s %s', async (method, path) => {
    const { status, body } = await send(`${api.url}${path}`, { method });
    expect([status, at(body, 'error', 'code')]).toEqual([401, 'unauthorized']);
  });
});

describe('a malformed request', () => {
  it.each([
    ['GET', `${LIST}/not-an-id`, 'id'],
    ['GET', `${LIST}/${UNKNOWN}x`, 'id'],
    ['GET', `${LIST}/not-an-id/messages`, 'id'],
    ['DELETE', `${LIST}/not-an-id`, 'id'],
    ['GET', `${LIST}?after=yesterday`, 'after'],
    ['GET', `${LIST}?limit=0`, 'limit'],
    ['GET', `${LIST}?limit=101`, 'limit'],
    ['GET', `${LIST}?limit=1.5`, 'limit'],
    ['GET', `${LIST}?limit=many`, 'limit'],
    ['GET', `${LIST}?limit=5&limit=6`, 'limit'],
    ['GET', `${LIST}?page=2`, 'page'],
    ['GET', `${LIST}/${UNKNOWN}/messages?limit=-1`, 'limit'],
    ['GET', `${LIST}/${UNKNOWN}/messages?after=1`, 'after'],
  ])('%s %s is refused with 400 and names %s', async (method, path, field) => {
    const user = await registerUser(api.url);
    const { status, body } = await user.request(method, path);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: { code: 'invalid_request', type: 'invalid_request_error', param: field, details: [{ field }] },
    });
  });
});

describe('deleting a conversation', () => {
  it('deletes its messages and keeps only its usage records', async () => {
    const user = await registerUser(api.url);
    const keep = await beginConversation(user);
    const first = await say(user, 'one');
    const id = String(at(first.body, 'conversation_id'));
    const second = await say(user, 'two', { conversation_id: id });
    const { usage } = await stored(api.database, id);
    expect(usage).toHaveLength(2);

    const deleted = await user.request('DELETE', `${LIST}/${id}`);
    expect([deleted.status, deleted.body]).toEqual([204, '']);
    expect(await stored(api.database, id)).toEqual({ conversation: undefined, messages: [], usage: [] });
    const left = await query(
      api.database,
      `SELECT call_id, conversation_id, input_tokens + output_tokens AS tokens FROM usage_records
       WHERE call_id = ANY($1) ORDER BY created_at`,
      [[at(first.body, 'message_id'), at(second.body, 'message_id')]],
    );
    expect(left).toEqual(
      [first, second].map(({ body }) => ({
        call_id: at(body, 'message_id'),
        conversation_id: null,
        tokens: at(body, 'tokens_used'),
      })),
    );

    for (const [method, path] of [
      ['GET', `${LIST}/${id}`],
      ['GET', `${LIST}/${id}/messages`],
      ['DELETE', `${LIST}/${id}`],
    ] as const) {
      expect((await user.request(method, path)).status).toBe(404);
    }
    expect(idsOf(await page(user, LIST))).toEqual([keep]);
  });
});
