// Real components: the API on a socket with its jobs, PostgreSQL, and the provider's protocol, whose requests
// show the model's input.
import { describe, expect, it } from '@jest/globals';
import { type Settings, startApi, type TestApi } from '../../../../support/api.js';
import { deliver, makeDue, untilTasksDone, untilWaiting } from '../../../../support/conversation-tasks.js';
import { at, listAt, registerUser } from '../../../../support/client.js';
import { gatedAnswer } from '../../../../support/fake-provider/gated-answer.js';
import { setUpApi, setUpProvider, setUpUser } from '../../../../support/set-up.js';
import { expectSettled, query, stored, until } from '../../../../support/stored.js';

const PATH = '/api/v1/conversations';

/** The heading of a summary in the model's input. */
const MARK = '[Summary of the conversation so far, written by a program. It stands for earlier messages.]';

const provider = setUpProvider();
const api = setUpApi(
  // A quarter is reserved for the answer: 384 tokens hold six messages of 64.
  () => settings({ MODEL_CONTEXT_WINDOWS: '{"openai/test-model":512,"openai/summary-model":1000}' }),
);
const user = setUpUser(api);

function settings(more: Settings): Settings {
  return {
    OPENAI_BASE_URL: provider.baseUrl,
    DEFAULT_MODEL: 'openai/test-model',
    SUMMARY_MODEL: 'openai/summary-model',
    LLM_MAX_RETRIES: '0',
    ...more,
  };
}

function start(more: Settings): Promise<TestApi> {
  return startApi(settings(more));
}

/** A text of sixty tokens; a message adds four to it. */
function text(word: string): string {
  return Array.from({ length: 60 }, () => word).join(' ');
}

const [one, two, six, ten, red] = [text('one'), text('two'), text('six'), text('ten'), text('red')];

/** Scripts the provider: the turn is echoed, and the requests after it return these notes. */
function noting(...notes: readonly string[]): void {
  provider.script({ kind: 'answer' }, ...notes.map((said) => ({ kind: 'answer', text: said }) as const));
}

/** Runs a turn and waits for its tasks; returns the id of its conversation. */
async function say(message: string, more: object = {}, of = api, by = user): Promise<string> {
  const { status, body } = await by.request('POST', '/api/v1/chat', { message, ...more });
  expect(status).toBe(200);
  const id = String(at(body, 'conversation_id'));
  await untilTasksDone(of, id);
  return id;
}

/** Starts a conversation of these messages, with compaction set by the first; returns its id. */
async function begin(messages: readonly string[], of = api, by = user): Promise<string> {
  const [first = '', ...others] = messages;
  const id = await say(first, { compaction: 'summary' }, of, by);
  for (const message of others) await say(message, { conversation_id: id }, of, by);
  return id;
}

/** Starts a conversation of four turns with notes on the first two. */
async function beginSummed(): Promise<string> {
  const id = await begin([one, two, six]);
  noting('Notes on one and two.');
  await say(ten, { conversation_id: id });
  return id;
}

/** Returns the texts of the requests to a model, in order. */
function messagesSentTo(model: string): unknown[][] {
  return provider.requests
    .filter(({ body }) => at(body, 'model') === model)
    .map(({ body }) => listAt(body, 'messages').map((message) => at(message, 'content')));
}

/** Returns the summary that the API shows for the conversation. */
async function shown(id: string): Promise<unknown> {
  return at((await user.request('GET', `${PATH}/${id}`)).body, 'summary');
}

async function idsOf(id: string, of = api): Promise<unknown[]> {
  return (await stored(of.database, id)).messages.map((message) => message['id']);
}

/** Formats exchanges as they appear in the summary model's input. */
function said(...messages: readonly string[]): string {
  return messages.map((message) => `User:\n${message}\n\nAssistant:\n${message}`).join('\n\n');
}

describe('a conversation with compaction', () => {
  it('is summarized when messages no longer fit', async () => {
    const id = await begin([one, two, six]);
    // Five messages fit, so none has been left out yet.
    expect(messagesSentTo('summary-model')).toEqual([]);
    expect(await shown(id)).toBeNull();
    noting('Notes on one and two.');
    await say(ten, { conversation_id: id });
    expect(messagesSentTo('test-model').at(-1)).toEqual([two, two, six, six, ten]);
    const [asked, ...more] = messagesSentTo('summary-model');
    expect(more).toEqual([]);
    // Messages are data, and must not appear in the system prompt.
    expect(asked?.[0]).not.toMatch(/one one|two two/);
    expect(asked?.[1]).toBe(`Messages since then:\n\n${said(one, two)}`);
    const summary = await shown(id);
    expect(summary).toEqual({
      text: 'Notes on one and two.',
      up_to_message_id: (await idsOf(id))[3],
      model: 'openai/summary-model',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
    });
    const list = await user.request('GET', PATH);
    expect(listAt(list.body, 'data').find((entry) => at(entry, 'id') === id)).toMatchObject({
      compaction: 'summary',
      summary,
    });
    const conversation = await stored(api.database, id);
    expect(conversation.messages).toHaveLength(8);
    expect(conversation.usage.filter(({ model }) => model === 'summary-model')).toHaveLength(1);
    expectSettled(conversation);
  });

  it('sends its notes in place of the messages they cover, and updates them later', async () => {
    const id = await beginSummed();
    await say(red, { conversation_id: id, system_prompt: 'Stay.' });
    const sent = listAt(provider.requests.at(-1)?.body, 'messages');
    expect(sent.map((message) => [at(message, 'role'), at(message, 'content')])).toEqual([
      ['system', 'Stay.'],
      ['user', `${MARK}\n\nNotes on one and two.\n\n${six}`],
      ['assistant', six],
      ['user', ten],
      ['assistant', ten],
      ['user', red],
    ]);
    // Everything after the notes fits, so no new ones are requested.
    expect(messagesSentTo('summary-model')).toHaveLength(1);
    noting('Notes on one to ten.');
    await say(two, { conversation_id: id });
    expect(messagesSentTo('summary-model')[1]?.[1]).toBe(
      `Notes so far:\nNotes on one and two.\n\nMessages since then:\n\n${said(six, ten)}`,
    );
    expect(await shown(id)).toMatchObject({
      text: 'Notes on one to ten.',
      up_to_message_id: (await idsOf(id))[7],
    });
    expectSettled(await stored(api.database, id));
  });

  it('omits the notes on a branch that they do not cover, and sends them on the one that they do', async () => {
    const id = await beginSummed();
    const ids = await idsOf(id);
    const edited = await user.request('POST', `${PATH}/${id}/messages/${String(ids[2])}/edit`, {
      message: red,
    });
    expect(edited.status).toBe(200);
    expect(messagesSentTo('test-model').at(-1)).toEqual([one, one, red]);
    expect(await shown(id)).toBeNull();
    const later = await user.request('POST', `${PATH}/${id}/messages/${String(ids[6])}/edit`, {
      message: red,
    });
    expect(later.status).toBe(200);
    expect(messagesSentTo('test-model').at(-1)).toEqual([
      `${MARK}\n\nNotes on one and two.\n\n${six}`,
      six,
      red,
    ]);
    expect(await shown(id)).toMatchObject({ text: 'Notes on one and two.' });
  });

  it('omits its notes while compaction is off', async () => {
    const id = await beginSummed();
    await say(red, { conversation_id: id, compaction: 'none' });
    expect(messagesSentTo('test-model').at(-1)).toEqual([six, six, ten, ten, red]);
    expect(await shown(id)).toBeNull();
    expect(messagesSentTo('summary-model')).toHaveLength(1);
    await say('short', { conversation_id: id, compaction: 'summary' });
    expect(messagesSentTo('test-model').at(-1)?.[0]).toEqual(
      expect.stringContaining(`${MARK}\n\nNotes on one and two.\n\n`),
    );
  });

  it('is summarized once however often the queue delivers the task, and turns do not wait for it', async () => {
    const id = await begin([one, two, six]);
    const gate = gatedAnswer(['Late notes.']);
    provider.script({ kind: 'answer' }, gate);
    const turn = { message: ten, conversation_id: id };
    expect((await user.request('POST', '/api/v1/chat', turn)).status).toBe(200);
    await until('the request for notes', () => messagesSentTo('summary-model').length === 1);
    await deliver(api, id, 'summary', 8);
    // A turn in the meantime sends the messages that fit, and its task does not disturb the running one.
    const next = await user.request('POST', '/api/v1/chat', { message: red, conversation_id: id });
    expect(next.status).toBe(200);
    expect(messagesSentTo('test-model').at(-1)).toEqual([six, six, ten, ten, red]);
    gate.finish();
    await untilTasksDone(api, id);
    expect(messagesSentTo('summary-model')).toHaveLength(1);
    expect(await query(api.database, 'SELECT text FROM summaries WHERE conversation_id = $1', [id])).toEqual([
      { text: 'Late notes.' },
    ]);
    expectSettled(await stored(api.database, id));
  });

  it('gets no summary of a branch that is no longer active', async () => {
    const id = await begin([one, two, six]);
    provider.script({ kind: 'answer' }, { kind: 'error', status: 500 });
    const turn = { message: ten, conversation_id: id };
    expect((await user.request('POST', '/api/v1/chat', turn)).status).toBe(200);
    await untilWaiting(api, id, 1);
    const [, , question] = await idsOf(id);
    const edit = `${PATH}/${id}/messages/${String(question)}/edit`;
    expect((await user.request('POST', edit, { message: red })).status).toBe(200);
    await makeDue(api, id);
    await deliver(api, id, 'summary');
    await untilTasksDone(api, id);
    expect(messagesSentTo('summary-model')).toHaveLength(1);
    expectSettled(await stored(api.database, id));
  });

  it('does not reveal its summary to another account', async () => {
    const id = await beginSummed();
    const other = await registerUser(api.url);
    expect((await other.request('GET', `${PATH}/${id}`)).status).toBe(404);
    expect(JSON.stringify((await other.request('GET', PATH)).body)).not.toContain('Notes');
  });

  it('is summarized in several steps if the summary model’s window is small', async () => {
    const narrow = await start({
      MODEL_CONTEXT_WINDOWS: '{"openai/test-model":512,"openai/summary-model":370}',
    });
    try {
      const poor = await registerUser(narrow.url);
      const id = await begin([one, two, six], narrow, poor);
      noting('Notes, step 1.', 'Notes, step 2.');
      await say(ten, { conversation_id: id }, narrow, poor);
      const asked = messagesSentTo('summary-model').map((messages) => messages[1]);
      expect(asked).toEqual([
        `Messages since then:\n\n${said(one)}`,
        `Notes so far:\nNotes, step 1.\n\nMessages since then:\n\n${said(two)}`,
      ]);
      const ids = await idsOf(id, narrow);
      const rows = 'SELECT message_id, text FROM summaries WHERE conversation_id = $1 ORDER BY created_at';
      expect(await query(narrow.database, rows, [id])).toEqual([
        { message_id: ids[1], text: 'Notes, step 1.' },
        { message_id: ids[3], text: 'Notes, step 2.' },
      ]);
      expectSettled(await stored(narrow.database, id));
    } finally {
      await narrow.close();
    }
  });

  it('is summarized by the model of its last answer if none is configured, with long messages truncated', async () => {
    const narrow = await start({ MODEL_CONTEXT_WINDOWS: '{"openai/test-model":512}', SUMMARY_MODEL: '' });
    try {
      const poor = await registerUser(narrow.url);
      const long = Array.from({ length: 900 }, () => 'one').join(' ');
      provider.script({ kind: 'answer', text: 'Brief.' });
      const id = await begin([long], narrow, poor);
      provider.script({ kind: 'answer', text: 'Two.' }, { kind: 'answer', text: 'Notes.' });
      await say(two, { conversation_id: id }, narrow, poor);
      const [, , asked] = messagesSentTo('test-model');
      expect(asked?.[1]).toMatch(/^Messages since then:\n\nUser:\n(one )+(one|on|o)? ?\[…\]$/);
      expect(String(asked?.[1]).length).toBeLessThan(1_100);
    } finally {
      await narrow.close();
    }
  });
});
