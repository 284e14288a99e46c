// Real here: the API on a socket with its jobs, PostgreSQL, and the provider's wire.
import { describe, expect, it } from '@jest/globals';
import { idOf, registerAdmin } from '../../../support/accounts.js';
import { type Settings, startApi } from '../../../support/api.js';
import { choresOf, deliver, makeDue, untilChoresDone, untilWaiting } from '../../../support/chores.js';
import { at, listAt, registerUser, type TestUser } from '../../../support/client.js';
import { gatedAnswer } from '../../../support/fake-provider/gated-answer.js';
import type { RecordedRequest } from '../../../support/fake-provider/recorded-request.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../support/set-up.js';
import { expectSettled, query, stored, until } from '../../../support/stored.js';

const QUESTION = 'Why is the sky blue?';

const provider = setUpProvider();
const api = setUpApi(settings);
const user = setUpUser(api);

function settings(more: Settings = {}): Settings {
  return {
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    TITLE_MODEL: 'openai/title-model',
    LLM_MAX_RETRIES: '0',
    ...more,
  };
}

/** A turn; the id of its conversation. */
async function say(by: TestUser, message = QUESTION, more: object = {}): Promise<string> {
  const { status, body } = await by.request('POST', '/api/v1/chat', { message, ...more });
  expect(status).toBe(200);
  return String(at(body, 'conversation_id'));
}

async function titleOf(by: TestUser, id: string): Promise<unknown> {
  return at((await by.request('GET', `/api/v1/conversations/${id}`)).body, 'title');
}

/** The requests for titles. */
function asked(): readonly RecordedRequest[] {
  return provider.requests.filter(({ body }) => at(body, 'model') === 'title-model');
}

describe('the title of a conversation', () => {
  it('is found by a model after the first turn, and paid for like any call', async () => {
    provider.script({ kind: 'answer', text: 'It scatters.' }, { kind: 'answer', text: '**"Blue sky"**\nHa' });
    const id = await say(user, QUESTION, { system_prompt: 'You are a pirate.' });
    await untilChoresDone(api, id);
    expect(await titleOf(user, id)).toBe('Blue sky');
    const [request] = asked();
    const messages = listAt(request?.body, 'messages');
    expect(messages.map((message) => at(message, 'role'))).toEqual(['system', 'user']);
    // What users and models say is material and never an instruction of ours.
    expect(at(messages[0], 'content')).not.toMatch(/sky|scatters|pirate/);
    expect(at(messages[1], 'content')).toBe(`User:\n${QUESTION}\n\nAssistant:\nIt scatters.`);
    const conversation = await stored(api.database, id);
    expect(conversation.usage).toMatchObject([
      { model: 'test-model', outcome: 'completed' },
      { model: 'title-model', outcome: 'completed' },
    ]);
    expectSettled(conversation);
  });

  it('is asked for with the user’s own key of the provider', async () => {
    const owner = await registerUser(api.url);
    const key = 'sk-own-key-0123456789';
    expect((await owner.request('PUT', '/api/v1/provider-keys/openai', { key })).status).toBe(200);
    const id = await say(owner);
    await untilChoresDone(api, id);
    expect(asked().map(({ headers }) => headers.authorization)).toEqual([`Bearer ${key}`]);
    const usage = await query(
      api.database,
      'SELECT DISTINCT own_key FROM usage_records WHERE conversation_id = $1',
      [id],
    );
    expect(usage).toEqual([{ own_key: true }]);
  });

  it('is asked for once in the life of a conversation', async () => {
    const id = await say(user);
    await untilChoresDone(api, id);
    expect(asked()).toHaveLength(1);
    await say(user, 'and now?', { conversation_id: id });
    expect(await choresOf(api, id)).toEqual([]);
    expect(asked()).toHaveLength(1);
  });

  it('never replaces one that its user gave meanwhile; the call is billed all the same', async () => {
    const gate = gatedAnswer(['Blue sky']);
    provider.script({ kind: 'answer' }, gate);
    const id = await say(user);
    await until('the request for a title', () => asked().length === 1);
    await query(api.database, `UPDATE conversations SET title = 'Mine', titled_by = 'user' WHERE id = $1`, [
      id,
    ]);
    gate.finish();
    await untilChoresDone(api, id);
    expect(await titleOf(user, id)).toBe('Mine');
    const conversation = await stored(api.database, id);
    expect(conversation.usage).toHaveLength(2);
    expectSettled(conversation);
  });

  it('is asked for once, however often the queue delivers it at once', async () => {
    const gate = gatedAnswer(['Blue sky']);
    provider.script({ kind: 'answer' }, { kind: 'error', status: 500 }, gate);
    const id = await say(user);
    await untilWaiting(api, id, 1);
    await makeDue(api, id);
    await deliver(api, id, 'title', 8);
    await until('the request for a title', () => asked().length === 2);
    gate.finish();
    await untilChoresDone(api, id);
    await deliver(api, id, 'title', 3);
    // What is delivered behind them is seen after them.
    const other = await say(user);
    await untilChoresDone(api, other);
    expect(asked()).toHaveLength(3);
    const conversation = await stored(api.database, id);
    expect(conversation.usage).toHaveLength(3);
    expectSettled(conversation);
  });

  it('is tried again where the model fails, with what the failures used in the ledger', async () => {
    provider.script({ kind: 'answer' }, { kind: 'error', status: 500 });
    const id = await say(user);
    const chore = await untilWaiting(api, id, 1);
    expect(Number(chore['seconds'])).toBeLessThanOrEqual(20);
    provider.script({ kind: 'answer', text: '" "' });
    await makeDue(api, id);
    await deliver(api, id, 'title');
    // Nothing is left of such an answer.
    const again = await untilWaiting(api, id, 2);
    expect(Number(again['seconds'])).toBeGreaterThan(60);
    expect(await titleOf(user, id)).toBe(QUESTION);
    provider.script({ kind: 'answer', text: 'Blue sky' });
    await makeDue(api, id);
    await deliver(api, id, 'title');
    await untilChoresDone(api, id);
    expect(await titleOf(user, id)).toBe('Blue sky');
    const conversation = await stored(api.database, id);
    expect(conversation.usage.map(({ outcome }) => outcome)).toEqual([
      'completed',
      'failed',
      'completed',
      'completed',
    ]);
    expectSettled(conversation);
  });

  it('is given up after five tries', async () => {
    provider.script({ kind: 'answer' }, { kind: 'error', status: 500 }, { kind: 'error', status: 500 });
    const id = await say(user);
    await untilWaiting(api, id, 1);
    await query(api.database, 'UPDATE chores SET tries = 4, due_at = now() WHERE conversation_id = $1', [id]);
    await deliver(api, id, 'title');
    await untilChoresDone(api, id);
    expect(await titleOf(user, id)).toBe(QUESTION);
    expect(api.log.some((line) => line.includes('a title task failed too often; giving up'))).toBe(true);
    expectSettled(await stored(api.database, id));
  });

  it('is found by the sweep where the queue forgot it', async () => {
    provider.script({ kind: 'answer' }, { kind: 'error', status: 500 }, { kind: 'answer', text: 'Swept' });
    const id = await say(user);
    await untilWaiting(api, id, 1);
    await makeDue(api, id);
    await until('the sweep', async () => (await choresOf(api, id)).length === 0, 40_000);
    expect(await titleOf(user, id)).toBe('Swept');
  }, 60_000);

  it('waits, and is not counted, where the account may use no more today', async () => {
    const narrow = await startApi(settings({ QUOTA_TOKENS_DAY: '600' }));
    try {
      const poor = await registerUser(narrow.url);
      const id = await say(poor, QUESTION, { max_tokens: 50 });
      const chore = await untilWaiting(narrow, id, 0);
      expect(Number(chore['seconds'])).toBeGreaterThan(10);
      expect(asked()).toEqual([]);
      expectSettled(await stored(narrow.database, id));
    } finally {
      await narrow.close();
    }
  });

  it('stops when its account is disabled, and is found when it is back', async () => {
    const admin = await registerAdmin(api);
    const shut = await registerUser(api.url);
    const path = `/api/v1/users/${await idOf(shut)}`;
    const gate = gatedAnswer(['Blue', ' sky']);
    provider.script({ kind: 'answer' }, gate);
    const id = await say(shut);
    const request = await until('the request for a title', () => asked()[0]);
    await admin.request('PATCH', path, { disabled: true });
    expect((await request.closed).by).toBe('client');
    await until('its end', async () => (await choresOf(api, id))[0]?.['tries'] === 0);
    await makeDue(api, id);
    await deliver(api, id, 'title');
    // What is delivered behind it is seen after it.
    await untilChoresDone(api, await say(user));
    expect(asked()).toHaveLength(2);
    await admin.request('PATCH', path, { disabled: false });
    provider.script({ kind: 'answer', text: 'Blue sky' });
    await deliver(api, id, 'title');
    await untilChoresDone(api, id);
    expect(await query(api.database, 'SELECT title FROM conversations WHERE id = $1', [id])).toEqual([
      { title: 'Blue sky' },
    ]);
    expectSettled(await stored(api.database, id));
  });

  it('leaves nothing but its usage where the conversation is deleted meanwhile', async () => {
    const gate = gatedAnswer(['Blue sky']);
    provider.script({ kind: 'answer' }, gate);
    const lone = await registerUser(api.url);
    const id = await say(lone);
    await until('the request for a title', () => asked().length === 1);
    await lone.request('DELETE', `/api/v1/conversations/${id}`);
    gate.finish();
    const rows = await until('its usage', async () => {
      const usage = await query(
        api.database,
        `SELECT model, conversation_id FROM usage_records
         WHERE user_id = (SELECT id FROM users WHERE email = $1) ORDER BY created_at`,
        [lone.email],
      );
      return usage.length === 2 && usage;
    });
    expect(rows).toEqual([
      { model: 'test-model', conversation_id: null },
      { model: 'title-model', conversation_id: null },
    ]);
  });

  it('is the first words where no model is set for it', async () => {
    const plain = await startApi({ DEFAULT_MODEL: 'demo/echo' });
    try {
      const id = await say(await registerUser(plain.url));
      expect(await choresOf(plain, id)).toEqual([]);
    } finally {
      await plain.close();
    }
  });
});
