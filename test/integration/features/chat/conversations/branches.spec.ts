// Real components: the API on a socket, PostgreSQL, and the provider's protocol, whose requests show the
// model's input. Regenerating, editing and activating all change one tree, which the helper class builds and
// reads.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { beginStream, idsIn, named, rejoin } from '../../../../support/answers.js';
import {
  at,
  collect,
  listAt,
  registerUser,
  textOf,
  type ApiResponse,
  type TestUser,
} from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider } from '../../../../support/set-up.js';
import { expectSettled, query, stored, untilSettled } from '../../../../support/stored.js';

/** An id that does not exist. */
const UNKNOWN = '01999999-9999-7999-8999-999999999999';

const provider = setUpProvider();
const api = setUpApi(() => ({ OPENAI_BASE_URL: provider.baseUrl, DEFAULT_MODEL: 'openai/test-model' }));

/** A user with a conversation, and helpers that continue it. */
class Talk {
  private constructor(
    readonly user: TestUser,
    readonly id: string,
  ) {}

  static async begin(message = 'first'): Promise<Talk> {
    const user = await registerUser(api.url);
    const { body } = await user.request('POST', '/api/v1/chat', { message });
    return new Talk(user, String(at(body, 'conversation_id')));
  }

  async say(message: string, more: object = {}): Promise<string> {
    const answer = await this.user.request('POST', '/api/v1/chat', {
      message,
      conversation_id: this.id,
      ...more,
    });
    expect(answer.status).toBe(200);
    return String(at(answer.body, 'message_id'));
  }

  post(messageId: string, action: string, body: object = {}): Promise<ApiResponse> {
    return this.user.request('POST', `${this.path(messageId)}/${action}`, body);
  }

  /** Regenerates an answer or edits a question; returns the id of the new answer. */
  async done(messageId: string, action: 'regenerate' | 'edit', body: object = {}): Promise<string> {
    const answer = await this.post(messageId, action, body);
    expect(answer).toMatchObject({ status: 200, body: { conversation_id: this.id } });
    return String(at(answer.body, 'message_id'));
  }

  path(messageId: string): string {
    return `/api/v1/conversations/${this.id}/messages/${messageId}`;
  }

  /** Lists the messages as the user sees them. */
  async messages(query = ''): Promise<Message[]> {
    const { status, body } = await this.user.request(
      'GET',
      `/api/v1/conversations/${this.id}/messages?limit=100${query}`,
    );
    expect(status).toBe(200);
    return listAt(body, 'data').map(toMessage);
  }

  async idsOf(query = ''): Promise<string[]> {
    return (await this.messages(query)).map(({ id }) => id);
  }

  async activeEnd(): Promise<unknown> {
    const { body } = await this.user.request('GET', `/api/v1/conversations/${this.id}`);
    return at(body, 'active_message_id');
  }
}

interface Message {
  readonly id: string;
  readonly role: unknown;
  readonly content: unknown;
  readonly parent: unknown;
  readonly active: unknown;
  readonly previous: unknown;
  readonly next: unknown;
}

function toMessage(body: unknown): Message {
  return {
    id: String(at(body, 'id')),
    role: at(body, 'role'),
    content: at(body, 'content'),
    parent: at(body, 'parent_id'),
    active: at(body, 'active'),
    previous: at(body, 'previous_sibling_id'),
    next: at(body, 'next_sibling_id'),
  };
}

/** Returns the contents of the messages in the next request that reaches the model. */
async function messagesSentBy(work: () => Promise<unknown>): Promise<unknown[]> {
  const asked = provider.nextRequest('chat');
  const done = work();
  const request = await asked;
  await done;
  return listAt(request.body, 'messages').map((message) => at(message, 'content'));
}

describe('POST .../messages/{id}/regenerate', () => {
  it('adds the new answer as a sibling of the earlier one and puts it on the active path', async () => {
    const talk = await Talk.begin('first');
    const [question, before] = await talk.idsOf();
    const sent = await messagesSentBy(() => talk.done(String(before), 'regenerate'));
    expect(sent).toEqual(['first']);
    const [first, after] = await talk.messages();
    expect(first).toMatchObject({ id: question, active: true, previous: null, next: null });
    expect(after).toMatchObject({ role: 'assistant', parent: question, previous: before, next: null });
    const all = await talk.messages('&branches=all');
    expect(all.map(({ id, active }) => [id, active])).toEqual([
      [question, true],
      [before, false],
      [after?.id, true],
    ]);
    expect(all[1]).toMatchObject({ previous: null, next: after?.id });
    expect(await talk.activeEnd()).toBe(after?.id);
    expectSettled(await stored(api.database, talk.id));
  });

  it('leaves later messages on their own branch and does not send them to the model', async () => {
    const talk = await Talk.begin('first');
    const [, answer] = await talk.idsOf();
    const later = await talk.say('second');
    await talk.done(String(answer), 'regenerate');
    expect(await talk.messages()).toHaveLength(2);
    const sent = await messagesSentBy(() => talk.say('third'));
    expect(sent).toHaveLength(3);
    expect(sent).not.toContain('second');
    expect((await talk.messages('&branches=all')).map(({ id }) => id)).toContain(later);
    expectSettled(await stored(api.database, talk.id));
  });

  it('accepts the id of the question, and the id of an answer on an inactive branch', async () => {
    const talk = await Talk.begin('first');
    const [question, first] = await talk.idsOf();
    const second = await talk.done(String(question), 'regenerate');
    await talk.say('second', {});
    // A sibling of the first answer, whose branch is no longer active.
    const third = await talk.done(String(first), 'regenerate');
    expect(await talk.idsOf()).toEqual([question, third]);
    const { body } = await talk.user.request('GET', `${talk.path(third)}/siblings`);
    expect(listAt(body, 'data').map((entry) => at(entry, 'id'))).toEqual([first, second, third]);
    expectSettled(await stored(api.database, talk.id));
  });

  it('repeats the model and parameters of the earlier answer except for those in the new request', async () => {
    const talk = await Talk.begin();
    const answer = await talk.say('hot', { model: 'openai/other-model', temperature: 1.5, max_tokens: 77 });
    const asked = provider.nextRequest('chat');
    await talk.done(answer, 'regenerate', { max_tokens: 78 });
    expect((await asked).body).toMatchObject({
      model: 'other-model',
      temperature: 1.5,
      max_tokens: 78,
    });
  });

  it('streams an answer that can be resumed, and runs once per Idempotency-Key', async () => {
    const talk = await Talk.begin();
    const [, answer] = await talk.idsOf();
    const path = `${talk.path(String(answer))}/regenerate`;
    const events = await collect(talk.user.stream(path, { stream: true }));
    const [first] = events;
    const { messageId } = idsIn(first);
    expect(textOf(await collect(rejoin(api.url, talk.user, messageId)))).toBe(textOf(events));
    const key = randomUUID();
    const both = await Promise.all([1, 2].map(() => named(api.url, talk.user, path, key, {})));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(at(both[0]?.body, 'message_id')).toBe(at(both[1]?.body, 'message_id'));
    expect((await talk.messages('&branches=all')).filter(({ role }) => role === 'assistant')).toHaveLength(3);
    const other = await named(api.url, talk.user, path, key, { temperature: 1 });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'idempotency_key_reused' } } });
  });

  it('replaces a failed answer on the active path', async () => {
    const talk = await Talk.begin();
    provider.script({ kind: 'error', status: 400, message: 'no' });
    const failed = await talk.user.request('POST', '/api/v1/chat', {
      message: 'x',
      conversation_id: talk.id,
    });
    expect(failed.status).toBe(400);
    const [, , , broken] = await talk.messages();
    await talk.done(String(broken?.id), 'regenerate');
    const path = await talk.messages();
    expect(path).toHaveLength(4);
    expect(path.at(-1)).toMatchObject({ previous: broken?.id });
  });
});

describe('POST .../messages/{id}/edit', () => {
  it('adds the edited question as a sibling with an answer of its own', async () => {
    const talk = await Talk.begin('first');
    await talk.say('second');
    const [one, two, question, answer] = await talk.idsOf();
    const sent = await messagesSentBy(() =>
      talk.done(String(question), 'edit', { message: 'second, rather' }),
    );
    expect(sent.at(-1)).toBe('second, rather');
    expect(sent).toHaveLength(3);
    const path = await talk.messages();
    expect(path.map(({ id }) => id).slice(0, 2)).toEqual([one, two]);
    expect(path[2]).toMatchObject({
      role: 'user',
      content: 'second, rather',
      parent: two,
      previous: question,
    });
    expect(await talk.idsOf('&branches=all')).toEqual(expect.arrayContaining([question, answer]));
    expectSettled(await stored(api.database, talk.id));
  });

  it('accepts the first message of the conversation, and starts another tree', async () => {
    const talk = await Talk.begin('first');
    const [question] = await talk.idsOf();
    await talk.done(String(question), 'edit', { message: 'anew' });
    const [root, ...rest] = await talk.messages();
    expect(rest).toHaveLength(1);
    expect(root).toMatchObject({ content: 'anew', parent: null, previous: question, next: null });
    const { body } = await talk.user.request('GET', `${talk.path(String(question))}/siblings?limit=1`);
    expect(body).toMatchObject({ data: [{ id: question, next_sibling_id: root?.id }], has_more: true });
    expectSettled(await stored(api.database, talk.id));
  });

  it('refuses a message that is not a question, and points to regenerate', async () => {
    const talk = await Talk.begin();
    const [, answer] = await talk.idsOf();
    const refused = await talk.post(String(answer), 'edit', { message: 'x' });
    expect(refused).toMatchObject({ status: 400, body: { error: { param: 'message_id' } } });
    expect(String(at(refused.body, 'error', 'message'))).toContain('regenerate');
    expect(await talk.messages('&branches=all')).toHaveLength(2);
  });
});

describe('the active path', () => {
  it('runs through the activated message to the newest message after it', async () => {
    const talk = await Talk.begin('first');
    const [question, first] = await talk.idsOf();
    const end = await talk.say('second');
    const old = await talk.idsOf();
    const second = await talk.done(String(first), 'regenerate');
    const chosen = await talk.post(String(first), 'activate');
    expect(chosen).toMatchObject({ status: 200, body: { id: talk.id, active_message_id: end } });
    expect(await talk.idsOf()).toEqual(old);
    const again = await talk.post(String(question), 'activate');
    expect(again).toMatchObject({ status: 200, body: { active_message_id: end } });
    await talk.post(second, 'activate');
    expect(await talk.idsOf()).toEqual([question, second]);
    expect(await messagesSentBy(() => talk.say('third'))).toHaveLength(3);
    expectSettled(await stored(api.database, talk.id));
  });

  it('does not change, and no second turn starts, while an answer is generated', async () => {
    const talk = await Talk.begin();
    const [question, first] = await talk.idsOf();
    await talk.done(String(first), 'regenerate');
    const gate = gatedAnswer(['a', 'b']);
    provider.script(gate);
    const { events } = await beginStream(provider, talk.user, { conversation_id: talk.id });
    for (const [id, action] of [
      [first, 'activate'],
      [first, 'regenerate'],
      [question, 'edit'],
    ] as const) {
      const refused = await talk.post(String(id), action, action === 'edit' ? { message: 'x' } : {});
      expect(refused).toMatchObject({ status: 409, body: { error: { code: 'conversation_busy' } } });
    }
    gate.finish();
    await collect(events);
    expectSettled(await untilSettled(api.database, talk.id));
  });

  it('stays a single path if edits, regenerations, activations and turns arrive at once', async () => {
    const talk = await Talk.begin('first');
    const [question, first] = await talk.idsOf();
    const second = await talk.done(String(first), 'regenerate');
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => {
        switch (index % 4) {
          case 0:
            return talk.post(String(question), 'edit', { message: `edit ${index}` });
          case 1:
            return talk.post(index % 8 === 1 ? String(first) : second, 'activate');
          case 2:
            return talk.post(String(first), 'regenerate');
          default:
            return talk.user.request('POST', '/api/v1/chat', { message: 'more', conversation_id: talk.id });
        }
      }),
    );
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const settled = await untilSettled(api.database, talk.id);
    expectSettled(settled);
    const begun = answers.filter(
      ({ status, body }) => status === 200 && at(body, 'message_id') !== undefined,
    );
    expect(settled.messages.filter(({ role }) => role === 'assistant')).toHaveLength(2 + begun.length);
  });

  it('changes without rewriting the unaffected messages of a conversation of 3,000', async () => {
    const talk = await Talk.begin('first');
    await query(
      api.database,
      `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
       SELECT gen_random_uuid(), $1, (SELECT user_id FROM conversations WHERE id = $1), NULL, n, 'user', 'complete', 'x'
       FROM generate_series(2, 3001) n`,
      [talk.id],
    );
    await query(
      api.database,
      `UPDATE messages SET parent_id = before.id FROM messages before
       WHERE messages.conversation_id = $1 AND before.conversation_id = $1 AND before.position = messages.position - 1`,
      [talk.id],
    );
    await query(
      api.database,
      `UPDATE conversations SET next_position = 3002,
         leaf_message_id = (SELECT id FROM messages WHERE conversation_id = $1 AND position = 3001) WHERE id = $1`,
      [talk.id],
    );
    const answer = await talk.say('last');
    const versions = () =>
      query(api.database, 'SELECT id, xmin::text FROM messages WHERE conversation_id = $1', [talk.id]);
    const before = new Map((await versions()).map(({ id, xmin }) => [id, xmin]));
    await talk.done(answer, 'regenerate');
    const changed = (await versions()).filter(({ id, xmin }) => before.get(id) !== xmin);
    // The answer that left the path, and the new one.
    expect(changed).toHaveLength(2);
  });

  it('rewrites no search entry of 300 long messages that leave the path and return to it', async () => {
    const talk = await Talk.begin('first');
    const [question] = await talk.idsOf();
    await query(
      api.database,
      `INSERT INTO messages (id, conversation_id, user_id, parent_id, position, role, status, content)
       SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1,
         (SELECT user_id FROM conversations WHERE id = $1),
         CASE WHEN n = 2 THEN (SELECT leaf_message_id FROM conversations WHERE id = $1)
           ELSE ('01900000-0000-7000-8000-' || lpad((n - 1)::text, 12, '0'))::uuid END,
         n, 'user', 'complete', (SELECT string_agg(md5(n || '-' || word), ' ') FROM generate_series(1, 120) word)
       FROM generate_series(2, 301) n`,
      [talk.id],
    );
    await query(
      api.database,
      `UPDATE conversations SET next_position = 302,
         leaf_message_id = (SELECT id FROM messages WHERE conversation_id = $1 AND position = 301) WHERE id = $1`,
      [talk.id],
    );
    // An expression index would be updated without a trace in any row, so there must be none.
    const indexes = await query(
      api.database,
      `SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
       JOIN pg_am ON pg_am.oid = relam WHERE indrelid = 'messages'::regclass AND amname <> 'btree'`,
    );
    expect(indexes).toEqual([]);
    const versions = () =>
      query(
        api.database,
        `SELECT message_id AS id, xmin::text, ctid::text FROM message_words
         WHERE conversation_id = $1 AND position BETWEEN 2 AND 301 ORDER BY position`,
        [talk.id],
      );
    const titles = () =>
      query(api.database, 'SELECT xmin::text, ctid::text FROM title_words WHERE conversation_id = $1', [
        talk.id,
      ]);
    const [before, title] = [await versions(), await titles()];
    expect(before).toHaveLength(300);
    expect(title).toHaveLength(1);
    await talk.done(String(question), 'edit', { message: 'another' });
    const activePart = async () =>
      (
        await query(
          api.database,
          'SELECT count(*)::int AS count FROM messages WHERE conversation_id = $1 AND active AND position BETWEEN 2 AND 301',
          [talk.id],
        )
      )[0]?.['count'];
    expect(await activePart()).toBe(0);
    expect((await talk.post(String(question), 'activate')).status).toBe(200);
    expect(await activePart()).toBe(300);
    expect(await versions()).toEqual(before);
    expect(await titles()).toEqual(title);
  });
});

describe('another account', () => {
  it.each(['regenerate', 'edit', 'activate'])('cannot %s a message', async (action) => {
    const talk = await Talk.begin();
    const [question, answer] = await talk.idsOf();
    const stranger = await registerUser(api.url);
    const body = action === 'edit' ? { message: 'x' } : {};
    const id = String(action === 'edit' ? question : answer);
    const refused = await stranger.request('POST', `${talk.path(id)}/${action}`, body);
    expect(refused).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
    const missing = await talk.post(UNKNOWN, action, body);
    expect(missing.status).toBe(404);
    const siblings = await stranger.request('GET', `${talk.path(id)}/siblings`);
    expect(siblings.status).toBe(404);
    expect(await talk.messages('&branches=all')).toHaveLength(2);
  });

  it('a message of another conversation of the same account is answered with 404', async () => {
    const talk = await Talk.begin();
    const { body } = await talk.user.request('POST', '/api/v1/chat', { message: 'elsewhere' });
    const foreign = String(at(body, 'message_id'));
    for (const action of ['regenerate', 'activate']) {
      expect((await talk.post(foreign, action)).status).toBe(404);
    }
  });
});
